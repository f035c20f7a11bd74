package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xtaci/smux"
)

// Since 1.5.30 a finalizer closes a stream whose wrapper nobody refers to, even while one of its methods still runs. Each
// function that uses a stream therefore ends with runtime.KeepAlive.

// echo sends back every stream that the peer opens, until the peer closes the connection.
func echo(session *smux.Session, _ *options, r *report) error {
	var tasks sync.WaitGroup
	var failures sync.Map
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			tasks.Wait()
			if !errors.Is(err, io.EOF) {
				return fmt.Errorf("accept: %w", err)
			}
			break
		}
		r.Streams++
		tasks.Add(1)
		go func() {
			defer tasks.Done()
			n, err := echoOne(stream)
			atomic.AddInt64(&r.Bytes, n)
			if err != nil {
				failures.Store(stream.ID(), err)
			}
		}()
	}
	var first error
	failures.Range(func(id, err interface{}) bool {
		first = fmt.Errorf("stream %d: %w", id, err.(error))
		return false
	})
	return first
}

func echoOne(stream *smux.Stream) (total int64, err error) {
	defer runtime.KeepAlive(stream)
	defer stream.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := stream.Read(buffer)
		if n > 0 {
			written, err := stream.Write(buffer[:n])
			total += int64(written)
			if err != nil {
				return total, err
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		} else if err != nil {
			return total, err
		}
	}
}

// dialEcho opens all streams before the first byte is sent, so that they really live at once, and expects each to come back.
func dialEcho(session *smux.Session, o *options, r *report) error {
	streams := make([]*smux.Stream, o.streams)
	for i := range streams {
		stream, err := session.OpenStream()
		if err != nil {
			return fmt.Errorf("open stream %d: %w", i, err)
		}
		streams[i] = stream
	}
	sums := make([][]byte, o.streams)
	results := make(chan error, o.streams)
	for i := range streams {
		go func(i int) {
			sum, err := roundTrip(streams[i], o.seed+uint64(i), o.bytes)
			sums[i] = sum
			if err != nil {
				err = fmt.Errorf("stream %d: %w", streams[i].ID(), err)
			}
			results <- err
		}(i)
	}
	for range streams {
		if err := <-results; err != nil {
			return err
		}
	}
	all := sha256.New()
	for _, sum := range sums {
		all.Write(sum)
	}
	r.Streams, r.Bytes, r.SHA256 = o.streams, int64(o.streams)*o.bytes, hex.EncodeToString(all.Sum(nil))
	for _, stream := range streams {
		if err := stream.Close(); err != nil {
			return fmt.Errorf("close stream %d: %w", stream.ID(), err)
		}
	}
	return nil
}

// roundTrip sends length bytes of noise and expects them back; the stream stays open.
func roundTrip(stream *smux.Stream, seed uint64, length int64) ([]byte, error) {
	defer runtime.KeepAlive(stream)
	sent := make(chan error, 1)
	go func() {
		defer runtime.KeepAlive(stream)
		source, buffer := newNoise(seed), make([]byte, piece)
		for left := length; left > 0; {
			part := buffer
			if int64(len(part)) > left {
				part = part[:left]
			}
			source.fill(part)
			if _, err := stream.Write(part); err != nil {
				sent <- fmt.Errorf("send: %w", err)
				return
			}
			left -= int64(len(part))
		}
		sent <- nil
	}()
	sum, err := expectNoise(stream, seed, length)
	if err != nil {
		return nil, err
	}
	return sum, <-sent
}

// bulk moves one blob each way at the same time on one stream, which the session's client opens. The server's FIN says that
// it has verified what it got.
//
// The server says nothing before it has heard something: OpenStream of smux 1.5.16 sends SYN first and enters the stream in
// its table afterwards, so that an answer that comes quickly enough is dropped as if for an unknown stream.
func bulk(session *smux.Session, o *options, r *report) error {
	open := session.AcceptStream
	if o.role == "client" {
		open = session.OpenStream
	}
	stream, err := open()
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(stream)
	sent := make(chan error, 1)
	send := func() {
		go func() {
			defer runtime.KeepAlive(stream)
			sent <- sendBlob(stream, o.seed, o.bytes)
		}()
	}
	heard := send
	if o.role == "client" {
		send()
		heard = func() {}
	}
	length, sum, err := receiveBlob(stream, heard)
	if err != nil {
		return err
	}
	if err := <-sent; err != nil {
		return err
	}
	r.Streams, r.Bytes, r.SHA256 = 1, length, hex.EncodeToString(sum)
	if o.role == "client" {
		if err := expectEnd(stream); err != nil {
			return err
		}
	}
	return stream.Close()
}

// expectEnd waits for the peer's FIN, which in these scenarios says that the peer is content.
func expectEnd(stream *smux.Stream) error {
	defer runtime.KeepAlive(stream)
	if n, err := stream.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("stream %d did not end as it should: %d bytes, %v", stream.ID(), n, err)
	}
	return nil
}

// idle does nothing for a while and fails when the session does not live through it.
func idle(session *smux.Session, o *options, _ *report) error {
	if err := session.SetDeadline(time.Now().Add(o.duration)); err != nil {
		return err
	}
	if _, err := session.AcceptStream(); err == nil {
		return errors.New("a stream was opened on an idle session")
	} else if !errors.Is(err, smux.ErrTimeout) {
		return fmt.Errorf("the session did not survive: %w", err)
	}
	return nil
}

// slowReader takes a first stream and does not read it until a second one has been echoed to its end; then it reads the
// blob that waits on the first.
func slowReader(session *smux.Session, _ *options, r *report) error {
	neglected, err := session.AcceptStream()
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(neglected)
	lively, err := session.AcceptStream()
	if err != nil {
		return err
	}
	echoed, err := echoOne(lively)
	if err != nil {
		return fmt.Errorf("the stream that is read: %w", err)
	}
	fmt.Println("echoed", echoed)
	length, sum, err := receiveBlob(neglected, func() {})
	if err != nil {
		return fmt.Errorf("the stream that was not read: %w", err)
	}
	r.Streams, r.Bytes, r.SHA256 = 2, echoed+length, hex.EncodeToString(sum)
	return neglected.Close()
}

// dialSlowReader is the other end of slowReader: a blob goes to a stream that the peer does not read yet, while a second
// stream must come back whole.
func dialSlowReader(session *smux.Session, o *options, r *report) error {
	neglected, err := session.OpenStream()
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(neglected)
	sent := make(chan error, 1)
	go func() {
		defer runtime.KeepAlive(neglected)
		sent <- sendBlob(neglected, o.seed, o.bytes)
	}()
	lively, err := session.OpenStream()
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(lively)
	if _, err := roundTrip(lively, o.seed+1, o.bytes); err != nil {
		return fmt.Errorf("the stream that is read: %w", err)
	}
	fmt.Println("echoed", o.bytes)
	if err := lively.Close(); err != nil {
		return err
	}
	if err := <-sent; err != nil {
		return fmt.Errorf("the stream that was not read: %w", err)
	}
	r.Streams, r.Bytes = 2, o.bytes
	if err := expectEnd(neglected); err != nil {
		return err
	}
	return neglected.Close()
}
