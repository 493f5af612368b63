package rtpext_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/pion/rtp"

	"github.com/sotto-sfu/sotto/sfu/rtpext"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	const fixed = "00017fff" + "01020304" + "0a0b0c0d" // to be patched in front: first byte, second byte
	head := func(first, second string) string { return first + second + fixed[4:] }
	tests := []struct {
		name  string
		in    string
		err   error
		check func(p *rtpext.Packet) bool
	}{
		{name: "empty", in: "", err: rtpext.ErrShort},
		{name: "eleven bytes", in: "8000000000000000000000", err: rtpext.ErrShort},
		{name: "version 1", in: head("40", "60"), err: rtpext.ErrVersion},
		{name: "bare header", in: head("80", "e0"), check: func(p *rtpext.Packet) bool {
			return p.Marker && p.PayloadType == 96 && p.SequenceNumber == 0x7fff && p.Timestamp == 0x01020304 &&
				p.SSRC == 0x0a0b0c0d && p.HeaderLen == 12 && p.PaddingOnly()
		}},
		{name: "payload", in: head("80", "60") + "0102", check: func(p *rtpext.Packet) bool {
			return !p.Marker && bytes.Equal(p.Payload, []byte{1, 2})
		}},
		{name: "CSRCs are skipped", in: head("82", "60") + "1111111122222222" + "55", check: func(p *rtpext.Packet) bool {
			return p.HeaderLen == 20 && bytes.Equal(p.Payload, []byte{0x55})
		}},
		{name: "CSRCs cut off", in: head("82", "60") + "11111111", err: rtpext.ErrShort},
		{name: "padding", in: head("a0", "60") + "55000003", check: func(p *rtpext.Packet) bool {
			return bytes.Equal(p.Payload, []byte{0x55}) && p.Padding == 3
		}},
		{name: "padding only", in: head("a0", "60") + "00000004", check: func(p *rtpext.Packet) bool { return p.PaddingOnly() && p.Padding == 4 }},
		{name: "padding of zero", in: head("a0", "60") + "5500", err: rtpext.ErrPadding},
		{name: "padding beyond the payload", in: head("a0", "60") + "5503", err: rtpext.ErrPadding},
		{name: "padding without payload", in: head("a0", "60"), err: rtpext.ErrPadding},
		{name: "extension header cut off", in: head("90", "60") + "bede", err: rtpext.ErrShort},
		{name: "extension block cut off", in: head("90", "60") + "bede0002" + "10000000", err: rtpext.ErrShort},
		{name: "one-byte form", in: head("90", "60") + "bede0004" + "10a5" + "32" + "010203" + "0000" + "4261" + "6263" + "00000000", check: func(p *rtpext.Packet) bool {
			return p.HasAudioLevel && p.Voice && p.AudioLevel == 0x25 && p.HasTransportCC && p.TransportCC == 0x0102 && string(p.MID) == "abc"
		}},
		{name: "one-byte form: id 15 ends the block", in: head("90", "60") + "bede0001" + "f010a500", check: func(p *rtpext.Packet) bool { return !p.HasAudioLevel }},
		{name: "one-byte form: id 0 with length ends the block", in: head("90", "60") + "bede0001" + "0110a500", check: func(p *rtpext.Packet) bool { return !p.HasAudioLevel }},
		{name: "one-byte form: element cut off", in: head("90", "60") + "bede0001" + "10a54f00", err: rtpext.ErrExtension},
		{name: "two-byte form", in: head("90", "60") + "10000005" + "0101a5" + "00" + "0203abcdef" + "0b0171" + "0a0166" + "0c03800001", check: func(p *rtpext.Packet) bool {
			return p.Voice && p.HasAbsSendTime && p.AbsSendTime == 0xabcdef && string(p.RepairedRID) == "q" && string(p.RID) == "f" &&
				bytes.Equal(p.DD, []byte{0x80, 0, 1})
		}},
		{name: "two-byte form with appbits", in: head("90", "60") + "100f0001" + "0101a500", check: func(p *rtpext.Packet) bool { return p.HasAudioLevel }},
		{name: "two-byte form: empty element", in: head("90", "60") + "10000001" + "04000100", check: func(p *rtpext.Packet) bool { return p.MID == nil && !p.HasAudioLevel }},
		{name: "two-byte form: length cut off", in: head("90", "60") + "10000001" + "0101a504", err: rtpext.ErrExtension},
		{name: "two-byte form: element cut off", in: head("90", "60") + "10000001" + "0103a500", err: rtpext.ErrExtension},
		{name: "unknown profile is skipped", in: head("90", "60") + "abcd0001" + "ffffffff" + "55", check: func(p *rtpext.Packet) bool { return len(p.Payload) == 1 }},
		{name: "wrong sizes are ignored", in: head("90", "60") + "bede0003" + "20aa" + "30aa" + "c0aa" + "c1aabb" + "000000", check: func(p *rtpext.Packet) bool {
			return !p.HasAbsSendTime && !p.HasTransportCC && p.DD == nil
		}},
		{name: "a mid beyond the limit is ignored", in: head("90", "60") + "10000005" + "0411" + "6161616161616161616161616161616161" + "00", check: func(p *rtpext.Packet) bool { return p.MID == nil }},
		{name: "the first of a repeated extension counts", in: head("90", "60") + "bede0001" + "10011002", check: func(p *rtpext.Packet) bool { return p.AudioLevel == 1 }},
	}
	ids := publisher(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p rtpext.Packet
			err := p.Parse(unhex(t, tt.in), ids)
			if !errors.Is(err, tt.err) {
				t.Fatalf("Parse: %v, want %v", err, tt.err)
			}
			if tt.check != nil && !tt.check(&p) {
				t.Errorf("wrong result: %+v", p)
			}
		})
	}
}

func TestParseRefusesTheOverlong(t *testing.T) {
	b := make([]byte, rtpext.MaxPacket+1)
	b[0] = 0x80
	var p rtpext.Packet
	if err := p.Parse(b, &rtpext.IDs{}); !errors.Is(err, rtpext.ErrLong) {
		t.Errorf("Parse of %d bytes: %v", len(b), err)
	}
	if err := p.Parse(b[:rtpext.MaxPacket], &rtpext.IDs{}); err != nil {
		t.Errorf("Parse of %d bytes: %v", rtpext.MaxPacket, err)
	}
}

// A reused Packet must not remember the packet before.
func TestParseForgets(t *testing.T) {
	ids := publisher(t)
	var p rtpext.Packet
	if err := p.Parse(mediaPacket(t, ids, true), ids); err != nil {
		t.Fatal(err)
	}
	bare := unhex(t, "800000010000000200000003")
	if err := p.Parse(bare, ids); err != nil {
		t.Fatal(err)
	}
	if p.MID != nil || p.DD != nil || p.HasAudioLevel || p.HasTransportCC || p.HasAbsSendTime || p.Marker || len(p.Payload) != 0 {
		t.Errorf("left over: %+v", p)
	}
}

// Pion reads RTP independently of us: both must agree on what Pion writes.
func TestParseAgreesWithPion(t *testing.T) {
	ids := publisher(t)
	for _, long := range []bool{false, true} {
		raw := mediaPacket(t, ids, long)
		var want rtp.Packet
		if err := want.Unmarshal(raw); err != nil {
			t.Fatal(err)
		}
		var got rtpext.Packet
		if err := got.Parse(raw, ids); err != nil {
			t.Fatal(err)
		}
		if got.SequenceNumber != want.SequenceNumber || got.Timestamp != want.Timestamp || got.SSRC != want.SSRC ||
			got.PayloadType != want.PayloadType || got.Marker != want.Marker || !bytes.Equal(got.Payload, want.Payload) {
			t.Errorf("header: got %+v, want %+v", got, want)
		}
		if !bytes.Equal(got.DD, want.GetExtension(12)) || !bytes.Equal(got.MID, want.GetExtension(4)) {
			t.Errorf("extensions: got DD %x MID %x", got.DD, got.MID)
		}
	}
}

// mediaPacket makes a packet with most extensions, written by Pion. long selects a
// dependency descriptor that needs the two-byte form.
func mediaPacket(t testing.TB, ids *rtpext.IDs, long bool) []byte {
	t.Helper()
	h := rtp.Header{
		Version: 2, Marker: true, PayloadType: 96, SequenceNumber: 1000, Timestamp: 90000, SSRC: 0xdecafbad,
		CSRC: []uint32{1, 2}, Extension: true, ExtensionProfile: rtp.ExtensionProfileOneByte,
	}
	descriptor := []byte{0x80, 0x12, 0x34}
	if long {
		h.ExtensionProfile = rtp.ExtensionProfileTwoByte
		descriptor = l1t3(0x1234).encode()
	}
	for _, e := range []struct {
		ext rtpext.Extension
		v   []byte
	}{
		{rtpext.AudioLevel, []byte{0x85}},
		{rtpext.AbsSendTime, []byte{1, 2, 3}},
		{rtpext.TransportCC, []byte{4, 5}},
		{rtpext.MID, []byte("cam")},
		{rtpext.RID, []byte("h")},
		{rtpext.DependencyDescriptor, descriptor},
	} {
		if err := h.SetExtension(ids.ID(e.ext), e.v); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := (&rtp.Packet{Header: h, Payload: bytes.Repeat([]byte{0xEE}, 1000)}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func FuzzParse(f *testing.F) {
	ids := publisher(f)
	f.Add(mediaPacket(f, ids, false))
	f.Add(mediaPacket(f, ids, true))
	f.Add(unhex(f, "a06000010000000200000003"+"00000004"))
	f.Add(unhex(f, "9060000100000002000000030000ffff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p rtpext.Packet
		if p.Parse(b, ids) != nil {
			return
		}
		if p.HeaderLen+len(p.Payload)+int(p.Padding) != len(b) {
			t.Fatalf("%d header + %d payload + %d padding ≠ %d bytes", p.HeaderLen, len(p.Payload), p.Padding, len(b))
		}
		// What was accepted can be built again, and reads the same.
		dst := make([]byte, len(b)+rtpext.MaxGrowth)
		out := rtpext.Outgoing{
			SSRC: 7, PayloadType: p.PayloadType, Marker: p.Marker, SequenceNumber: p.SequenceNumber,
			Timestamp: p.Timestamp, MID: p.MID, TransportSequence: p.TransportCC,
		}
		built, err := rtpext.Build(dst, &p, &out, ids)
		if err != nil {
			t.Fatalf("Build: %v", err)
		}
		var q rtpext.Packet
		if err := q.Parse(dst[:built.Len], ids); err != nil {
			t.Fatalf("Parse of the built packet: %v", err)
		}
		if !bytes.Equal(p.Payload, q.Payload) || !bytes.Equal(p.DD, q.DD) || !bytes.Equal(p.MID, q.MID) ||
			p.HasAudioLevel != q.HasAudioLevel || p.AudioLevel != q.AudioLevel || p.Voice != q.Voice || p.Marker != q.Marker {
			t.Fatalf("built packet differs:\n%+v\n%+v", p, q)
		}
	})
}
