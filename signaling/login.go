package signaling

import (
	"crypto/rand"
	"encoding/base64"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// drawID draws an id for a session or a participant.
func drawID() string {
	var raw [identity.IDLen]byte
	rand.Read(raw[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

func hello(c *call) *protocol.Error {
	if c.conn.greeted.Load() {
		return protocol.Refuse(protocol.CodeAlreadyDone, "hello was said")
	}
	req := c.body.(*protocol.HelloRequest)
	c.conn.challenge = drawChallenge()
	c.conn.greeted.Store(true)
	c.server.log.Debug("client connected", "client", req.Client)
	l, t := c.server.cfg.Limits, c.server.cfg.Timing
	c.reply(protocol.HelloReply{
		Server: c.server.cfg.Software, Challenge: c.conn.challenge,
		Limits: protocol.Limits{
			MessageBytes: l.MessageBytes, MessagesPerSecond: max(1, int(l.MessagesPerSecond)), MessageBurst: l.MessageBurst,
			CallsPerDevice: l.CallsPerDevice, Participants: l.Participants,
			AudioSlots: l.AudioSlots, VideoSlots: l.VideoSlots, PayloadBytes: l.PayloadBytes,
		},
		PingMillis: int(t.Ping.Milliseconds()), ResumeMillis: int(t.Resume.Milliseconds()),
	})
	return nil
}

func ping(c *call) *protocol.Error {
	c.reply(protocol.PingReply{})
	return nil
}

func login(c *call) *protocol.Error {
	if c.conn.bound() != nil {
		return protocol.Refuse(protocol.CodeAlreadyDone, "logged in already")
	}
	req := c.body.(*protocol.LoginRequest)
	challenge := c.conn.challenge
	c.conn.challenge = nil // valid once
	if challenge == nil || identity.VerifyLogin(challenge, []byte(req.DeviceKey), c.conn.host, req.Signature) != nil {
		c.end = &closing{protocol.CloseUnauthorized, "login failed"}
		return protocol.Refuse(protocol.CodeBadSignature, "the signature is not over this challenge and host by this device key")
	}
	device := protocol.DeviceID(identity.DeviceID([]byte(req.DeviceKey)).String())
	if req.Resume != nil && c.resume(device, req.Resume) {
		return nil
	}
	s := c.server
	ss := &session{
		id: protocol.SessionID(drawID()), device: device, key: req.DeviceKey,
		challenges: challenges{limit: s.cfg.Limits.Challenges, lifetime: s.cfg.Timing.Challenge},
		stream:     newStream(s.cfg.Limits),
		detachedAt: s.cfg.Now(), // so that the sweeper leaves it alone until it is attached
	}
	s.metrics.logins.Add(1)
	s.hub.addSession(ss)
	if !c.take(ss, 0, false) {
		return protocol.Refuse(protocol.CodeInternal, "the session could not be opened")
	}
	return nil
}

// resume takes an earlier session of the device up again. A session that
// missed too much to be resumed is over: its client starts afresh, and must
// not meet itself in the call.
func (c *call) resume(device protocol.DeviceID, r *protocol.Resume) bool {
	ss := c.server.hub.session(r.Session)
	if ss == nil || ss.device != device {
		return false
	}
	if !c.take(ss, r.LastSeq, true) {
		c.server.endSession(ss, protocol.ReasonLost)
		return false
	}
	c.server.metrics.resumes.Add(1)
	if st := ss.currentSeat(); st != nil {
		st.room.refresh(st)
	}
	return true
}

// take makes the connection the session's.
func (c *call) take(ss *session, last uint64, resumed bool) bool {
	reply := encodeReply(c.env, protocol.LoginReply{Device: ss.device, Session: ss.id, Resumed: resumed})
	if !ss.attach(c.conn, last, reply) {
		return false
	}
	if !c.conn.bind(ss) { // the connection has just ended and did not know
		c.server.detach(ss, c.conn, false)
	}
	return true
}
