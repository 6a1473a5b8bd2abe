// A server that answers a load generator of tlog-tiles logs at once and keeps nothing: how fast the generator itself is,
// on the cores that it shares with a log.
//
//	idle-log NOTE
//
// Every checkpoint that it gives is the one in the file NOTE; GET /count tells how many entries it was sent. Prints one
// JSON line with its url.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync/atomic"
)

func main() {
	note, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var count atomic.Int64
	http.HandleFunc("GET /checkpoint", func(answer http.ResponseWriter, _ *http.Request) {
		answer.Write(note)
	})
	http.HandleFunc("GET /count", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(answer, count.Load())
	})
	http.HandleFunc("POST /add", func(answer http.ResponseWriter, request *http.Request) {
		io.Copy(io.Discard, request.Body)
		fmt.Fprint(answer, count.Add(1))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("{\"url\":\"http://%s/\"}\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
