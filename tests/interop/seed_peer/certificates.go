package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// The files are as the original makes them: P-256 keys in SEC1 form, ten years, a random serial of 128 bits, and for the
// authority the key usages that it states (an authority with keyEncipherment is odd, but it is what is out there).

func loadOrMakeCertificates(directory string) (tls.Certificate, error) {
	_, err := os.Stat(filepath.Join(directory, "ca.crt"))
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeCertificates(directory); err != nil {
			return tls.Certificate{}, err
		}
	}
	return tls.LoadX509KeyPair(filepath.Join(directory, "server.crt"), filepath.Join(directory, "server.key"))
}

func makeCertificates(directory string) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	authority, err := template("GoTunnel CA")
	if err != nil {
		return err
	}
	authority.IsCA = true
	authority.BasicConstraintsValid = true
	authority.KeyUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign
	authorityKey, err := issue(directory, "ca", authority, authority, nil)
	if err != nil {
		return err
	}
	leaf, err := template(serverName)
	if err != nil {
		return err
	}
	leaf.DNSNames = []string{serverName}
	leaf.KeyUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature
	_, err = issue(directory, "server", leaf, authority, authorityKey)
	return err
}

func template(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now,
		NotAfter:     now.AddDate(10, 0, 0),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, nil
}

// issue makes a key and has the certificate signed, by itself when there is no signer; writes name.crt and name.key.
func issue(directory, name string, subject, issuer *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if signer == nil {
		signer = key
	}
	certificate, err := x509.CreateCertificate(rand.Reader, subject, issuer, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(directory, name)
	if err := writePEM(path+".crt", 0o644, "CERTIFICATE", certificate); err != nil {
		return nil, err
	}
	return key, writePEM(path+".key", 0o600, "EC PRIVATE KEY", sec1)
}

func writePEM(path string, mode os.FileMode, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
