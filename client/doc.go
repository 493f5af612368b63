// Package client is Sotto for native programs: it joins a call, sends media that is
// already encoded and hands out what others send, decrypted.
//
//	cl, err := client.Dial(ctx, client.Config{Link: link, Name: "Ann"})
//	call, err := cl.Join(ctx)
//	call.OnFrame(func(f client.Frame) { … })
//	camera, err := call.Publish(protocol.SourceCamera, codec.VP8)
//	err = camera.WriteFrame(frame, isKey, sinceStart)
//	err = call.Leave(ctx)
//
// It keeps the call alive by itself: it resumes after a lost WebSocket, restarts ICE
// after a change of network, and joins anew, with new keys, when the server has
// forgotten it. docs/native.md is the guide.
//
// The server relays and is believed in nothing that matters. What this package must
// never do:
//   - send a frame that is not sealed, or hand out one that did not verify;
//   - take the server's word for who a frame is from: the key id says it;
//   - let anything the server or another participant sends crash it, block it, or
//     fill its memory.
package client
