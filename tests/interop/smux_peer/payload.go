package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

// noise is an endless, reproducible stream of bytes (xorshift64*).
type noise struct{ state uint64 }

func newNoise(seed uint64) *noise {
	// Neighbouring seeds must not give neighbouring streams, and the state must not be 0.
	return &noise{state: (seed+1)*0x9e3779b97f4a7c15 | 1}
}

// fill overwrites p. The sequence depends on how it is cut only when a cut is not a multiple of 8.
func (n *noise) fill(p []byte) {
	var word [8]byte
	for len(p) > 0 {
		n.state ^= n.state >> 12
		n.state ^= n.state << 25
		n.state ^= n.state >> 27
		value := n.state * 0x2545f4914f6cdd1d
		if len(p) >= 8 {
			binary.LittleEndian.PutUint64(p, value)
			p = p[8:]
			continue
		}
		binary.LittleEndian.PutUint64(word[:], value)
		p = p[copy(p, word[:]):]
	}
}

// piece is how much is written and read in one call; a multiple of 8, and more than the largest frame.
const piece = 128 << 10

// sendBlob writes the length (u64 BE), that many bytes, and their SHA-256.
func sendBlob(w io.Writer, seed uint64, length int64) error {
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], uint64(length))
	if _, err := w.Write(head[:]); err != nil {
		return fmt.Errorf("length of the blob: %w", err)
	}
	source, digest, buffer := newNoise(seed), sha256.New(), make([]byte, piece)
	for left := length; left > 0; {
		part := buffer
		if int64(len(part)) > left {
			part = part[:left]
		}
		source.fill(part)
		digest.Write(part)
		if n, err := w.Write(part); err != nil {
			return fmt.Errorf("blob, after %d of %d bytes: %w", length-left+int64(n), length, err)
		}
		left -= int64(len(part))
	}
	if _, err := w.Write(digest.Sum(nil)); err != nil {
		return fmt.Errorf("digest of the blob: %w", err)
	}
	return nil
}

// receiveBlob reads what sendBlob wrote, and compares the digest. It calls started when the length has come.
func receiveBlob(r io.Reader, started func()) (length int64, sum []byte, err error) {
	var head [8]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return 0, nil, fmt.Errorf("length of the blob: %w", err)
	}
	started()
	length = int64(binary.BigEndian.Uint64(head[:]))
	digest := sha256.New()
	if n, err := io.CopyBuffer(digest, io.LimitReader(r, length), make([]byte, piece)); err != nil || n != length {
		return n, nil, fmt.Errorf("blob ended after %d of %d bytes: %v", n, length, err)
	}
	sent := make([]byte, sha256.Size)
	if _, err = io.ReadFull(r, sent); err != nil {
		return length, nil, fmt.Errorf("digest of the blob: %w", err)
	}
	if sum = digest.Sum(nil); !bytes.Equal(sum, sent) {
		return length, sum, fmt.Errorf("digest differs after %d bytes", length)
	}
	return length, sum, nil
}

// expectNoise reads length bytes and compares them with the noise of seed; the digest of what was read.
func expectNoise(r io.Reader, seed uint64, length int64) ([]byte, error) {
	source, digest := newNoise(seed), sha256.New()
	got, want := make([]byte, piece), make([]byte, piece)
	for left := length; left > 0; {
		part := got
		if int64(len(part)) > left {
			part = part[:left]
		}
		if n, err := io.ReadFull(r, part); err != nil {
			return nil, fmt.Errorf("ended after %d of %d bytes: %w", length-left+int64(n), length, err)
		}
		source.fill(want[:len(part)])
		if !bytes.Equal(part, want[:len(part)]) {
			return nil, fmt.Errorf("other bytes came back, somewhere after %d", length-left)
		}
		digest.Write(part)
		left -= int64(len(part))
	}
	return digest.Sum(nil), nil
}
