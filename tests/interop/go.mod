// For trying the programs of this folder with the newest smux; the test suite builds them from Debian's packages instead.
//
//	go build -o DIR/smux_peer ./smux_peer && go build -o DIR/seed_peer ./seed_peer
//	GOTUNNEL_INTEROP_PEERS=DIR ctest -L interop
module gotunnel.internal/interop

go 1.19

require github.com/xtaci/smux v1.5.56
