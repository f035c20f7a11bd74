module gotunnel.internal/interop

go 1.19

require github.com/xtaci/smux v1.5.56
