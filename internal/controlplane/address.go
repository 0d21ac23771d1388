package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// FreeAddress finds a port for a process to listen on. It is below those that the
// system gives to outgoing connections (from 32768 on Linux, from 49152 elsewhere):
// one of these may be taken before the process listens.
func FreeAddress() (string, error) {
	const lowest, highest = 20000, 32767
	var problem error
	for range 100 {
		address := fmt.Sprint("127.0.0.1:", lowest+rand.IntN(highest-lowest+1))
		listener, err := net.Listen("tcp", address)
		if err == nil {
			return address, listener.Close()
		}
		problem = err
	}
	return "", errors.Join(errors.New("find a free port"), problem)
}
