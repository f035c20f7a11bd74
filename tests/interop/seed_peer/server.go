package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"

	"github.com/xtaci/smux"
)

type server struct {
	secret string
	quick  bool
}

func serverMain(arguments []string) error {
	set := flags("server")
	listen := set.String("listen", "127.0.0.1:0", "address for clients")
	secret := set.String("secret", "", "shared secret")
	certs := set.String("certs", "certs", "directory of ca.crt, ca.key, server.crt and server.key; made when missing")
	version := set.String("tls", "", "only this version: 1.2 or 1.3")
	quick := set.Bool("quick", false, "free a public port as soon as the connection ends, not when smux notices")
	_ = set.Parse(arguments)
	if *secret == "" {
		return errors.New("-secret is required")
	}
	identity, err := loadOrMakeCertificates(*certs)
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{identity}}
	if err := tlsVersion(*version, config); err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", *listen, config)
	if err != nil {
		return err
	}
	say("listening %d", port(listener))
	s := &server{secret: *secret, quick: *quick}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go s.serve(conn)
	}
}

func port(listener net.Listener) int { return listener.Addr().(*net.TCPAddr).Port }

// serve is the life of one client's connection.
func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	from := conn.RemoteAddr()
	line, err := readLine(conn, secretLimit)
	if err != nil {
		note("%v: no secret: %v", from, err)
		return
	}
	if line != s.secret {
		note("%v: wrong secret", from)
		fmt.Fprintf(conn, "%s\n", answerRefused)
		return
	}
	if _, err := fmt.Fprintf(conn, "%s\n", answerOK); err != nil {
		note("%v: %v", from, err)
		return
	}
	session, err := smux.Server(conn, muxConfig())
	if err != nil {
		note("%v: %v", from, err)
		return
	}
	defer session.Close()
	if err := s.publish(session); err != nil {
		note("%v: %v", from, err)
	}
	say("session closed")
}

// publish answers the request on the client's first stream and serves its port until the session is over.
func (s *server) publish(session *smux.Session) error {
	control, err := session.AcceptStream()
	if err != nil {
		return fmt.Errorf("no control stream: %w", err)
	}
	listener, err := bind(control)
	runtime.KeepAlive(control)
	if err != nil {
		return err
	}
	defer listener.Close()
	go s.watch(session, listener)
	for {
		visitor, err := listener.Accept()
		if err != nil {
			return nil // watch has closed it
		}
		go func() {
			defer visitor.Close()
			stream, err := session.OpenStream()
			if err != nil {
				note("no stream for %v: %v", visitor.RemoteAddr(), err)
				return
			}
			relay(stream, visitor)
		}()
	}
}

func bind(control *smux.Stream) (net.Listener, error) {
	defer control.Close()
	var wanted request
	answer := json.NewEncoder(control)
	if err := json.NewDecoder(control).Decode(&wanted); err != nil {
		_ = answer.Encode(response{"error", "Invalid control message"})
		return nil, fmt.Errorf("control message: %w", err)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", wanted.RemotePort))
	if err != nil {
		_ = answer.Encode(response{"error", fmt.Sprintf("cannot listen on port %d: %v", wanted.RemotePort, err)})
		return nil, err
	}
	if err := answer.Encode(response{"success", fmt.Sprintf("listening on %v", listener.Addr())}); err != nil {
		listener.Close()
		return nil, err
	}
	say("public %d", port(listener))
	return listener, nil
}

// watch frees the public port when the session is closed. Like the original it asks once a second, and smux itself needs
// up to two keepalive timeouts to admit that the connection is gone: the port stays bound for about a minute.
func (s *server) watch(session *smux.Session, listener net.Listener) {
	defer listener.Close()
	if s.quick {
		// No client opens a second stream, so this returns when the connection ends.
		_, _ = session.AcceptStream()
		session.Close()
		return
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for range ticker.C {
		if session.IsClosed() {
			return
		}
	}
}
