// A go-libp2p peer that dials a node, identifies and pings it, and fetches a final block and a proof by the documented protocols.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
)

func ask(ctx context.Context, h host.Host, id peer.ID, name string, request []byte) string {
	stream, err := h.NewStream(ctx, id, protocol.ID(name))
	if err != nil {
		return err.Error()
	}
	defer stream.Close()
	writer := bufio.NewWriter(stream)
	writer.WriteByte(byte(len(request)))
	writer.Write(request)
	writer.Flush()
	answer, err := io.ReadAll(stream)
	if err != nil {
		return err.Error()
	}
	return hex.EncodeToString(answer)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	info, err := peer.AddrInfoFromString(os.Args[1])
	if err != nil {
		panic(err)
	}
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		panic(err)
	}
	if err := h.Connect(ctx, *info); err != nil {
		panic(err)
	}
	result := <-ping.Ping(ctx, h, info.ID)
	final := ask(ctx, h, info.ID, "/bizra/1/final", []byte{0x81, 0x03})
	proof := ask(ctx, h, info.ID, "/bizra/1/proof", append([]byte{0x81, 0x58, 32}, make([]byte, 32)...))
	agent, _ := h.Peerstore().Get(info.ID, "AgentVersion")
	protocols, _ := h.Peerstore().GetProtocols(info.ID)
	line, _ := json.Marshal(map[string]any{"agentVersion": agent, "protocols": protocols, "hasPinged": result.Error == nil, "final": final, "proof": proof})
	fmt.Println(string(line))
}
