// seed_peer speaks the original GoTunnel protocol, with the real smux, so that tests can put either end of gotunnel beside
// it. One TLS connection (1.2 or newer, no ALPN, the name gotunnel.internal) carries, in this order:
//
//	client  the secret and a line feed
//	server  "OK\n", or "ERROR: Invalid Secret\n" and the end
//	both    smux version 2 with its default configuration
//	client  on its first stream: {"remote_port":8080}
//	server  there: {"status":"success"|"error","message":"..."}, then closes it
//	server  one stream for each visitor, raw bytes; the first end of either direction ends both
//
//	seed_peer server -listen 127.0.0.1:0 -secret S -certs DIR
//	seed_peer client -server ADDR -secret S -ca FILE -remote-port P -local-target ADDR
//	seed_peer make-certs DIR
//
// Weak points of the original that a test may meet are kept: the buffered reader of the secret's line swallows what was
// glued to it, the public port outlives a vanished client until smux notices, and there is no half-close.
// For the sake of tests public ports are bound on 127.0.0.1 only, port 0 is allowed, and what happens is told on stdout in
// lines that start with a fixed word: "listening PORT", "public PORT", "tunnel up", "error TEXT", "session closed".
package main

import (
	"bufio"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/xtaci/smux"
)

const (
	serverName    = "gotunnel.internal"
	dialLimit     = 10 * time.Second
	secretLimit   = 5 * time.Second
	controlLimit  = 10 * time.Second
	answerOK      = "OK"
	answerRefused = "ERROR: Invalid Secret"
)

// The JSON objects of the control stream.
type request struct {
	RemotePort int `json:"remote_port"`
}
type response struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	var err error
	switch os.Args[1] {
	case "server":
		err = serverMain(os.Args[2:])
	case "client":
		err = clientMain(os.Args[2:])
	case "make-certs":
		if len(os.Args) != 3 {
			usage()
		}
		err = makeCertificates(os.Args[2])
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "seed_peer:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: seed_peer server|client [flags], or seed_peer make-certs DIR")
	os.Exit(1)
}

// tlsVersion turns the -tls flag into the limits of a configuration. The original says "1.2 or newer".
func tlsVersion(text string, config *tls.Config) error {
	config.MinVersion = tls.VersionTLS12
	switch text {
	case "":
	case "1.2":
		config.MaxVersion = tls.VersionTLS12
	case "1.3":
		config.MinVersion = tls.VersionTLS13
	default:
		return fmt.Errorf("-tls %s: neither 1.2 nor 1.3", text)
	}
	return nil
}

func muxConfig() *smux.Config {
	config := smux.DefaultConfig()
	config.Version = 2
	return config
}

// readLine reads one line as the original does: what came behind it in the same piece is lost.
func readLine(conn net.Conn, limit time.Duration) (string, error) {
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(line), conn.SetReadDeadline(time.Time{})
}

// relay moves bytes both ways until one direction ends; then both ends are closed.
func relay(stream *smux.Stream, conn net.Conn) {
	var once sync.Once
	var directions sync.WaitGroup
	move := func(to io.Writer, from io.Reader) {
		defer directions.Done()
		_, _ = io.Copy(to, from)
		once.Do(func() {
			stream.Close()
			conn.Close()
		})
	}
	directions.Add(2)
	go move(stream, conn)
	go move(conn, stream)
	directions.Wait()
	// Newer versions of smux close a stream that nobody refers to, even while it is being copied from.
	runtime.KeepAlive(stream)
}

// flags is a flag set whose errors end the program as the original's do.
func flags(name string) *flag.FlagSet { return flag.NewFlagSet("seed_peer "+name, flag.ExitOnError) }

// say prints a line for the test that runs this program.
func say(format string, args ...interface{}) { fmt.Printf(format+"\n", args...) }

// note prints a line for the reader of a failed test.
func note(format string, args ...interface{}) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
