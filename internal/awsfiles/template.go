package awsfiles

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// maxTemplated bounds the file that a template makes.
const maxTemplated = 32 << 10

var errTooLong = fmt.Errorf("the file would have more than %d KiB", maxTemplated>>10)

// templateFields are all that a template sees.
func templateFields(in Input) map[string]string {
	return map[string]string{
		"AccessKeyID":     in.AccessKeyID,
		"SecretAccessKey": in.SecretAccessKey,
		"SessionToken":    in.SessionToken,
		"AccountID":       in.AccountID,
		"Region":          in.Region,
		"Expiration":      timestamp(in.ExpiresAt),
		"ExpirationUnix":  strconv.FormatInt(in.ExpiresAt.Unix(), 10),
		"MountPath":       in.MountPath,
	}
}

// templateFunctions make a text part of a file format. Each takes one text and
// always succeeds.
var templateFunctions = template.FuncMap{
	"base64":   func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
	"json":     jsonString,
	"shell":    func(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" },
	"urlquery": url.QueryEscape,
	"xml":      xmlText,
}

func jsonString(text string) string {
	quoted, _ := json.Marshal(text) // a string always encodes
	return string(quoted)
}

func xmlText(text string) string {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(text)) // a buffer takes everything
	return escaped.String()
}

// Template makes a file from text in the syntax of Go templates. Of their language
// there is only what puts values into their places, see grammar: what a template
// costs is bounded by its own size and that of the file. An error may quote the
// template, but no value of the input.
func Template(in Input, text string) ([]byte, error) {
	const name = "line"
	parsed, err := template.New(name).Funcs(templateFunctions).Parse(text)
	if err != nil {
		return nil, errors.New(name + " " + strings.TrimPrefix(err.Error(), "template: "+name+":"))
	}
	if len(parsed.Templates()) > 1 {
		return nil, errors.New("{{define}} and {{block}} cannot be used: " + allowed)
	}
	fields := templateFields(in)
	if err := (grammar{text, fields}).check(parsed.Root); err != nil {
		return nil, err
	}
	var file limitedFile
	if parsed.Execute(&file, fields) != nil { // nothing else can fail, and the error could quote a value
		return nil, errTooLong
	}
	return file.content.Bytes(), nil
}

// limitedFile refuses to become longer than a file may be.
type limitedFile struct{ content bytes.Buffer }

func (f *limitedFile) Write(text []byte) (int, error) {
	if f.content.Len()+len(text) > maxTemplated {
		return 0, errTooLong
	}
	return f.content.Write(text)
}

// allowed is what an author may write instead of what is refused.
const allowed = "write {{.Field}}, {{function .Field}} or {{if .Field}}"

// grammar is what is allowed of the template language: text, {{.Field}},
// {{function .Field}}, {{.Field | function}}, a string in place of the field, and
// {{if .Field}} with its else. So every value that is computed is written, and the
// limit of the file bounds them all. No loop, variable, definition or nested call
// can make more of a text than it is.
type grammar struct {
	text   string
	fields map[string]string
}

func (g grammar) check(list *parse.ListNode) error {
	if list == nil { // of an else that is not there
		return nil
	}
	for _, node := range list.Nodes {
		if err := g.checkNode(node); err != nil {
			return err
		}
	}
	return nil
}

func (g grammar) checkNode(node parse.Node) error {
	switch node := node.(type) {
	case *parse.TextNode:
		return nil
	case *parse.ActionNode:
		return g.checkValue(node.Pipe)
	case *parse.IfNode:
		return cmp.Or(g.checkCondition(node.Pipe), g.check(node.List), g.check(node.ElseList))
	}
	return g.refuse(node, allowed)
}

func (g grammar) checkCondition(pipe *parse.PipeNode) error {
	words := wordsOf(pipe)
	if field, ok := words[0].(*parse.FieldNode); ok && len(words) == 1 {
		return g.checkField(field)
	}
	return g.refuse(pipe, allowed)
}

func (g grammar) checkValue(pipe *parse.PipeNode) error {
	words := wordsOf(pipe)
	if function, ok := words[0].(*parse.IdentifierNode); ok {
		if templateFunctions[function.Ident] == nil {
			return g.refuse(function, "the functions are "+namesOf(templateFunctions))
		}
		words = words[1:]
	}
	if len(words) != 1 {
		return g.refuse(pipe, allowed)
	}
	switch operand := words[0].(type) {
	case *parse.FieldNode:
		return g.checkField(operand)
	case *parse.StringNode:
		return nil
	}
	return g.refuse(pipe, allowed)
}

// wordsOf undoes pipes: {{.A | f}} is {{f .A}}. A declared variable is a word too.
func wordsOf(pipe *parse.PipeNode) []parse.Node {
	var words []parse.Node
	for _, command := range pipe.Cmds {
		words = slices.Concat(command.Args, words)
	}
	for _, variable := range pipe.Decl {
		words = append(words, variable)
	}
	return words
}

func (g grammar) checkField(field *parse.FieldNode) error {
	if _, ok := g.fields[field.Ident[0]]; ok && len(field.Ident) == 1 {
		return nil
	}
	return g.refuse(field, "the fields are "+namesOf(g.fields))
}

// refuse says what is wrong with a node: the template's author has to find it.
func (g grammar) refuse(node parse.Node, instead string) error {
	line := 1 + strings.Count(g.text[:node.Position()], "\n")
	return fmt.Errorf("line %d: %.40q cannot be used: %s", line, node.String(), instead)
}

func namesOf[V any](named map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(named)), ", ")
}
