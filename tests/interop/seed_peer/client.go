package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/xtaci/smux"
)

type client struct {
	server     string
	secret     string
	target     string
	remotePort int
	config     *tls.Config
}

// errRefused marks an answer of the server: the secret was right, so the original does not count it as a failure.
var errRefused = errors.New("refused")

func clientMain(arguments []string) error {
	c := &client{}
	set := flags("client")
	set.StringVar(&c.server, "server", "", "the server's host:port")
	set.StringVar(&c.secret, "secret", "", "shared secret")
	set.StringVar(&c.target, "local-target", "127.0.0.1:80", "where streams are connected to")
	set.IntVar(&c.remotePort, "remote-port", 8080, "port that the server shall open")
	ca := set.String("ca", "ca.crt", "certificate of the server's authority")
	most := set.Duration("max-retry-interval", time.Minute, "the longest pause after a failure")
	least := set.Duration("retry-interval", 2*time.Second, "the first pause; the original has no such flag")
	once := set.Bool("once", false, "leave after the first session or failure, with exit code 1 when it never was up")
	version := set.String("tls", "", "only this version: 1.2 or 1.3")
	_ = set.Parse(arguments)
	if c.server == "" || c.secret == "" {
		return errors.New("-server and -secret are required")
	}
	if err := c.trust(*ca, *version); err != nil {
		return err
	}

	pause := *least
	for {
		session, err := c.authenticate()
		if err == nil {
			pause = *least
			err = c.forward(session)
			session.Close()
			say("session closed")
		}
		if err != nil {
			say("error %v", err)
		}
		if *once {
			return err
		}
		time.Sleep(pause)
		if err != nil && !errors.Is(err, errRefused) {
			if pause = pause*2 + time.Duration(rand.Intn(1000))*time.Millisecond; pause > *most {
				pause = *most
			}
		}
	}
}

// trust accepts the given authority and no other, for the fixed name.
func (c *client) trust(file, version string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", file)
	}
	c.config = &tls.Config{RootCAs: pool, ServerName: serverName}
	return tlsVersion(version, c.config)
}

// authenticate connects, proves the secret and starts the session.
func (c *client) authenticate() (*smux.Session, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: dialLimit}, "tcp", c.server, c.config)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "%s\n", c.secret); err != nil {
		conn.Close()
		return nil, err
	}
	line, err := readLine(conn, secretLimit)
	if err == nil && line != answerOK {
		err = errors.New(line)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("secret: %w", err)
	}
	session, err := smux.Client(conn, muxConfig())
	if err != nil {
		conn.Close()
		return nil, err
	}
	return session, nil
}

// forward asks for the port and connects every stream of the server to the local target; nil when the session ends.
func (c *client) forward(session *smux.Session) error {
	message, err := c.ask(session)
	if err != nil {
		return err
	}
	say("tunnel up: %s", message)
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			note("session: %v", err)
			return nil
		}
		go func() {
			defer runtime.KeepAlive(stream)
			defer stream.Close()
			conn, err := net.Dial("tcp", c.target)
			if err != nil {
				note("local target: %v", err)
				return
			}
			defer conn.Close()
			relay(stream, conn)
		}()
	}
}

func (c *client) ask(session *smux.Session) (string, error) {
	control, err := session.OpenStream()
	if err != nil {
		return "", err
	}
	defer runtime.KeepAlive(control)
	defer control.Close()
	if err := json.NewEncoder(control).Encode(request{c.remotePort}); err != nil {
		return "", err
	}
	if err := control.SetReadDeadline(time.Now().Add(controlLimit)); err != nil {
		return "", err
	}
	var answer response
	if err := json.NewDecoder(control).Decode(&answer); err != nil {
		return "", fmt.Errorf("control stream: %w", err)
	}
	if answer.Status != "success" {
		return "", fmt.Errorf("%w: %s", errRefused, answer.Message)
	}
	return answer.Message, nil
}
