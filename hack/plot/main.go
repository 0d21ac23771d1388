// Plot draws what a LoginSession costs over the number of them, as an SVG, from the
// figures that hack/bench writes with -json.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image/color"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

func main() {
	out := flag.String("o", "", "the SVG to write")
	flag.Usage = func() { fmt.Fprintln(flag.CommandLine.Output(), "usage: plot -o FILE.svg FIGURES.json ...") }
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

// result is what is drawn of the figures for one number of LoginSessions.
type result struct {
	Sessions int
	Ratios   struct{ PerSecond, CPU, Requests, BytesPerSession float64 }
}

func run(out string, paths []string) error {
	if out == "" || len(paths) == 0 {
		return errors.New("usage: plot -o FILE.svg FIGURES.json ...")
	}
	var results []result
	for _, path := range paths {
		read, err := readFigures(path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		results = append(results, read...)
	}
	if len(results) == 0 {
		return errors.New("there are no figures")
	}
	return drawAll(results, out)
}

func readFigures(path string) ([]result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var report struct{ Results []result }
	err = json.Unmarshal(text, &report)
	return report.Results, err
}

// drawAll draws two rows of two panels.
func drawAll(results []result, out string) error {
	panels := [][]*plot.Plot{make([]*plot.Plot, 2), make([]*plot.Plot, 2)}
	for i, panel := range []struct {
		title string
		value func(result) float64
	}{
		{"rotations per second, × bare client", func(r result) float64 { return r.Ratios.PerSecond }},
		{"CPU per rotation, × bare client", func(r result) float64 { return r.Ratios.CPU }},
		{"API requests per rotation, × bare client", func(r result) float64 { return r.Ratios.Requests }},
		{"memory per session, KiB", func(r result) float64 { return r.Ratios.BytesPerSession / 1024 }},
	} {
		drawn, err := drawPanel(panel.title, results, panel.value)
		if err != nil {
			return fmt.Errorf("draw %q: %w", panel.title, err)
		}
		panels[i/2][i%2] = drawn
	}
	canvas := vgsvg.New(20*vg.Centimeter, 14*vg.Centimeter)
	tiles := draw.Tiles{Rows: 2, Cols: 2, PadX: vg.Centimeter, PadY: vg.Centimeter,
		PadTop: 5, PadBottom: 5, PadLeft: 5, PadRight: 15}
	for row, canvases := range plot.Align(panels, tiles, draw.New(canvas)) {
		for column, tile := range canvases {
			panels[row][column].Draw(tile)
		}
	}
	return writeSVG(canvas, out)
}

func drawPanel(title string, results []result, value func(result) float64) (*plot.Plot, error) {
	var points plotter.XYs
	for _, r := range results {
		points = append(points, plotter.XY{X: float64(r.Sessions), Y: value(r)})
	}
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return nil, err
	}
	line.Color = color.RGBA{R: 0x1f, G: 0x5f, B: 0xa8, A: 0xff}
	dots.Color, dots.Shape = line.Color, draw.CircleGlyph{}
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text, p.X.Label.Text = title, "LoginSessions"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Add(plotter.NewGrid(), line, dots)
	p.Y.Min = min(0, p.Y.Min)
	p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
	return p, nil
}

func writeSVG(canvas *vgsvg.Canvas, out string) (err error) {
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	_, err = canvas.WriteTo(file)
	return errors.Join(err, file.Close())
}
