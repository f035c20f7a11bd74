// smux_peer is the other end of the multiplexer's interop tests: one session of the real github.com/xtaci/smux over plain
// TCP on the loopback interface, and one scenario on it.
//
//	smux_peer [flags] echo | dial-echo | bulk | idle | slow-reader | dial-slow-reader
//
// Without -connect it listens on a free port of 127.0.0.1, prints "listening PORT" and takes one connection. Which end of
// the TCP connection it is and which end of the session (-role) are chosen apart. The last line on stdout is one JSON
// object; the exit code is 0 only when everything was verified.
//
// smux 1.5.16, which Debian 12 has, knows no half-close: Close() forgets the stream and drops what still arrives. So every
// scenario ends by counted bytes, and a FIN is only ever sent when nothing more is expected.
//
// Built without modules from Debian's packages (see CMakeLists.txt), or as a module with the newest smux (see go.mod).
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/xtaci/smux"
)

// options are the flags; what a scenario does not need it ignores.
type options struct {
	role     string
	connect  string
	streams  int
	bytes    int64
	duration time.Duration
	seed     uint64
	timeout  time.Duration
	config   *smux.Config
}

// report is the last line on stdout.
type report struct {
	OK       bool    `json:"ok"`
	Scenario string  `json:"scenario"`
	Error    string  `json:"error,omitempty"`
	Streams  int     `json:"streams"`
	Bytes    int64   `json:"bytes"` // payload received and verified (echo: sent back)
	SHA256   string  `json:"sha256,omitempty"`
	Seconds  float64 `json:"seconds"`
}

// scenario runs on an established session. It leaves streams, bytes and sha256 in the report.
type scenario func(session *smux.Session, o *options, r *report) error

var scenarios = map[string]scenario{
	"echo":             echo,
	"dial-echo":        dialEcho,
	"bulk":             bulk,
	"idle":             idle,
	"slow-reader":      slowReader,
	"dial-slow-reader": dialSlowReader,
}

func main() {
	o := &options{config: smux.DefaultConfig()}
	flag.StringVar(&o.role, "role", "server", "end of the session: client or server")
	flag.StringVar(&o.connect, "connect", "", "address to connect to; empty: listen")
	flag.IntVar(&o.config.Version, "version", 2, "smux version")
	flag.IntVar(&o.config.MaxStreamBuffer, "stream-buffer", o.config.MaxStreamBuffer, "window announced for a stream")
	flag.IntVar(&o.config.MaxReceiveBuffer, "receive-buffer", o.config.MaxReceiveBuffer, "tokens of the session")
	flag.IntVar(&o.config.MaxFrameSize, "frame-size", o.config.MaxFrameSize, "most payload in a frame")
	flag.DurationVar(&o.config.KeepAliveInterval, "keepalive-interval", o.config.KeepAliveInterval, "")
	flag.DurationVar(&o.config.KeepAliveTimeout, "keepalive-timeout", o.config.KeepAliveTimeout, "")
	flag.BoolVar(&o.config.KeepAliveDisabled, "keepalive-disabled", false, "send no NOP and expect none")
	flag.IntVar(&o.streams, "streams", 1, "dial-echo: concurrent streams")
	flag.Int64Var(&o.bytes, "bytes", 1<<16, "payload a stream and direction")
	flag.DurationVar(&o.duration, "for", time.Second, "idle: how long")
	flag.Uint64Var(&o.seed, "seed", 1, "start of the pseudo-random payload")
	flag.DurationVar(&o.timeout, "timeout", 2*time.Minute, "give up after this")
	flag.Parse()
	run, known := scenarios[flag.Arg(0)]
	if !known || flag.NArg() != 1 || (o.role != "client" && o.role != "server") {
		fmt.Fprintln(os.Stderr, "usage: smux_peer [flags] echo|dial-echo|bulk|idle|slow-reader|dial-slow-reader")
		flag.PrintDefaults()
		os.Exit(2)
	}
	// A stall must end the program even when no read or write of it would ever return.
	time.AfterFunc(o.timeout, func() {
		fmt.Fprintln(os.Stderr, "smux_peer: timeout")
		os.Exit(3)
	})

	r := &report{Scenario: flag.Arg(0)}
	if err := runOn(run, o, r); err != nil {
		r.Error = err.Error()
	} else {
		r.OK = true
	}
	line, _ := json.Marshal(r)
	fmt.Println(string(line))
	if !r.OK {
		os.Exit(1)
	}
}

func runOn(run scenario, o *options, r *report) error {
	conn, err := connection(o.connect)
	if err != nil {
		return err
	}
	defer conn.Close()
	open := smux.Server
	if o.role == "client" {
		open = smux.Client
	}
	session, err := open(conn, o.config)
	if err != nil {
		return err
	}
	defer session.Close()
	start := time.Now()
	err = run(session, o, r)
	r.Seconds = time.Since(start).Seconds()
	if err != nil {
		return err
	}
	if o.leavesFirst(r.Scenario) {
		if err := conn.CloseWrite(); err != nil {
			return fmt.Errorf("shutting our direction: %w", err)
		}
	}
	return awaitEnd(session)
}

// leavesFirst tells the end that ends the connection: the one that knows that both have all they need. The order matters,
// because a reader of smux 1.5.16 that is woken by its last bytes and by the end of the connection at once may return
// either.
func (o *options) leavesFirst(scenario string) bool {
	switch scenario {
	case "echo", "slow-reader":
		return false
	case "bulk":
		return o.role == "client"
	}
	return true
}

func connection(address string) (*net.TCPConn, error) {
	if address != "" {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return nil, err
		}
		return conn.(*net.TCPConn), nil
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	return listener.AcceptTCP()
}

// awaitEnd waits until the peer has closed its direction: closing a socket before that could reset the connection, and the
// peer could then lose the last frames.
func awaitEnd(session *smux.Session) error {
	_ = session.SetDeadline(time.Now().Add(10 * time.Second))
	for {
		if _, err := session.AcceptStream(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("waiting for the peer to close: %w", err)
		}
	}
}
