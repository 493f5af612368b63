package rtpext_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pion/rtp"

	"github.com/sotto-sfu/sotto/sfu/rtpext"
)

// subscriber has other ids than publisher, some of them above 14 if wide.
func subscriber(t testing.TB, wide bool) *rtpext.IDs {
	t.Helper()
	var ids rtpext.IDs
	set(t, &ids, rtpext.AudioLevel, 14)
	set(t, &ids, rtpext.TransportCC, 5)
	set(t, &ids, rtpext.MID, 1)
	set(t, &ids, rtpext.DependencyDescriptor, 8)
	if wide {
		set(t, &ids, rtpext.MID, 200)
	}
	return &ids
}

func TestBuild(t *testing.T) {
	tests := []struct {
		name        string
		long, wide  bool
		out         rtpext.Outgoing
		wantProfile uint16
	}{
		{name: "one-byte form", wantProfile: rtp.ExtensionProfileOneByte},
		{name: "a long descriptor needs the two-byte form", long: true, wantProfile: rtp.ExtensionProfileTwoByte},
		{name: "a high id needs the two-byte form", wide: true, out: rtpext.Outgoing{MID: []byte("3")}, wantProfile: rtp.ExtensionProfileTwoByte},
		{name: "with a mid", out: rtpext.Outgoing{MID: []byte("17")}, wantProfile: rtp.ExtensionProfileOneByte},
		{name: "with a frame number", out: rtpext.Outgoing{RewriteFrameNumber: true, FrameNumber: 0xBEEF}, wantProfile: rtp.ExtensionProfileOneByte},
		{name: "retransmission", out: rtpext.Outgoing{Retransmission: true, OriginalSequence: 777}, wantProfile: rtp.ExtensionProfileOneByte},
	}
	pub := publisher(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := mediaPacket(t, pub, tt.long)
			before := bytes.Clone(raw)
			var src rtpext.Packet
			if err := src.Parse(raw, pub); err != nil {
				t.Fatal(err)
			}
			ids := subscriber(t, tt.wide)
			out := tt.out
			out.SSRC, out.PayloadType, out.SequenceNumber, out.Timestamp = 42, 101, 7, 8
			out.Marker, out.TransportSequence = true, 0x0A0B
			dst := make([]byte, len(raw)+rtpext.MaxGrowth)
			built, err := rtpext.Build(dst, &src, &out, ids)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(raw, before) {
				t.Error("the source was changed")
			}

			rtpext.SetTransportCC(dst, built.TransportCC, 0x0C0D)
			var got rtp.Packet
			if err := got.Unmarshal(dst[:built.Len]); err != nil {
				t.Fatalf("Pion cannot read it: %v", err)
			}
			if got.SSRC != 42 || got.PayloadType != 101 || got.SequenceNumber != 7 || got.Timestamp != 8 || !got.Marker || len(got.CSRC) != 0 {
				t.Errorf("header: %+v", got.Header)
			}
			if got.ExtensionProfile != tt.wantProfile {
				t.Errorf("profile %#x, want %#x", got.ExtensionProfile, tt.wantProfile)
			}
			wantDD := bytes.Clone(src.DD)
			if out.RewriteFrameNumber {
				wantDD[1], wantDD[2] = 0xBE, 0xEF
			}
			want := map[uint8][]byte{14: {0x85}, 5: {0x0C, 0x0D}, 8: wantDD}
			if len(out.MID) > 0 {
				want[ids.ID(rtpext.MID)] = out.MID
			}
			for id, v := range want {
				if !bytes.Equal(got.GetExtension(id), v) {
					t.Errorf("extension %d = %x, want %x", id, got.GetExtension(id), v)
				}
			}
			if n := len(got.GetExtensionIDs()); n != len(want) {
				t.Errorf("%d extensions, want %d", n, len(want))
			}
			wantPayload := src.Payload
			if out.Retransmission {
				wantPayload = append([]byte{777 >> 8, 777 & 0xFF}, wantPayload...)
			}
			if !bytes.Equal(got.Payload, wantPayload) {
				t.Error("payload differs")
			}

			if !bytes.Equal(dst[built.Payload:built.Len], src.Payload) {
				t.Errorf("the payload does not start at %d", built.Payload)
			}

			for size := range built.Len {
				if _, err := rtpext.Build(make([]byte, size), &src, &out, ids); !errors.Is(err, rtpext.ErrBuffer) {
					t.Fatalf("Build into %d of %d bytes: %v", size, built.Len, err)
				}
			}
		})
	}
}

func TestBuildWithoutExtensions(t *testing.T) {
	pub := publisher(t)
	var src rtpext.Packet
	if err := src.Parse(mediaPacket(t, pub, true), pub); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 1500)
	built, err := rtpext.Build(dst, &src, &rtpext.Outgoing{MID: []byte("0")}, &rtpext.IDs{})
	if err != nil {
		t.Fatal(err)
	}
	if built.Len != rtpext.FixedHeader+len(src.Payload) || built.TransportCC != 0 || dst[0] != 0x80 {
		t.Errorf("built %+v, first byte %#x", built, dst[0])
	}
}

// The bound must hold for the packet that grows most.
func TestMaxGrowth(t *testing.T) {
	var pub, sub rtpext.IDs
	for i, e := range []rtpext.Extension{rtpext.AudioLevel, rtpext.DependencyDescriptor, rtpext.TransportCC, rtpext.MID} {
		set(t, &pub, e, uint8(i+1))
		set(t, &sub, e, uint8(i+100))
	}
	// Level and descriptor in the one-byte form, padded to the fullest word.
	src := unhex(t, "9060000100000002000000"+"03"+"bede0002"+"1005"+"23800001"+"02"+"00"+"55")
	var p rtpext.Packet
	if err := p.Parse(src, &pub); err != nil {
		t.Fatal(err)
	}
	out := rtpext.Outgoing{MID: bytes.Repeat([]byte{'m'}, rtpext.MaxStreamID), Retransmission: true}
	if _, err := rtpext.Build(make([]byte, len(src)+rtpext.MaxGrowth), &p, &out, &sub); err != nil {
		t.Error(err)
	}
}

func TestSetters(t *testing.T) {
	b := unhex(t, "80e000010000000200000003")
	rtpext.SetSequenceNumber(b, 0x1122)
	rtpext.SetTimestamp(b, 0x33445566)
	rtpext.SetSSRC(b, 0x778899AA)
	rtpext.SetPayloadType(b, 0xFF) // the marker's bit is not the type's
	if want := unhex(t, "80ff112233445566778899aa"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
	rtpext.SetMarker(b, false)
	if b[1] != 0x7F {
		t.Errorf("second byte %#x after clearing the marker", b[1])
	}
	rtpext.SetMarker(b, true)
	rtpext.SetPayloadType(b, 96)
	if b[1] != 0xE0 {
		t.Errorf("second byte %#x, want 0xe0", b[1])
	}
}

func TestRTXRoundTrip(t *testing.T) {
	pub := publisher(t)
	for _, long := range []bool{false, true} {
		var src rtpext.Packet
		if err := src.Parse(mediaPacket(t, pub, long), pub); err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 1500)
		out := rtpext.Outgoing{SSRC: 99, PayloadType: 97, SequenceNumber: 5, Timestamp: src.Timestamp, Marker: src.Marker, Retransmission: true, OriginalSequence: src.SequenceNumber}
		built, err := rtpext.Build(dst, &src, &out, pub)
		if err != nil {
			t.Fatal(err)
		}
		var rtx, back rtpext.Packet
		if err := rtx.Parse(dst[:built.Len], pub); err != nil {
			t.Fatal(err)
		}
		raw, err := rtpext.UnwrapRTX(&rtx, src.SSRC, src.PayloadType)
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Parse(raw, pub); err != nil {
			t.Fatal(err)
		}
		if back.SequenceNumber != src.SequenceNumber || back.SSRC != src.SSRC || back.PayloadType != src.PayloadType ||
			back.Timestamp != src.Timestamp || back.Marker != src.Marker ||
			!bytes.Equal(back.Payload, src.Payload) || !bytes.Equal(back.DD, src.DD) {
			t.Errorf("came back as %+v", back)
		}
	}
}

func TestUnwrapRTXEmpty(t *testing.T) {
	for _, tail := range []string{"", "00"} {
		var p rtpext.Packet
		if err := p.Parse(unhex(t, "806100010000000200000003"+tail), &rtpext.IDs{}); err != nil {
			t.Fatal(err)
		}
		if _, err := rtpext.UnwrapRTX(&p, 1, 2); !errors.Is(err, rtpext.ErrRTXEmpty) {
			t.Errorf("payload %q: %v", tail, err)
		}
	}
}

func FuzzUnwrapRTX(f *testing.F) {
	ids := publisher(f)
	f.Add(mediaPacket(f, ids, true))
	f.Add(unhex(f, "a0610001000000020000000312340002"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q rtpext.Packet
		if p.Parse(b, ids) != nil || len(p.Payload) < 2 {
			return
		}
		want := bytes.Clone(p.Payload[2:])
		raw, err := rtpext.UnwrapRTX(&p, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Parse(raw, ids); err != nil {
			t.Fatalf("an accepted packet became unreadable: %v", err)
		}
		if !bytes.Equal(q.Payload, want) {
			t.Fatal("payload changed")
		}
	})
}

func TestNoAllocations(t *testing.T) {
	pub, sub := publisher(t), subscriber(t, false)
	raw := mediaPacket(t, pub, true)
	rtx := make([]byte, 0, 1500)
	dst := make([]byte, 1500)
	var p rtpext.Packet
	var dd rtpext.DDParser
	var d rtpext.DD
	mid := []byte("12")
	stages := map[string]func(){
		"Parse": func() { _ = p.Parse(raw, pub) },
		"Build": func() {
			o := rtpext.Outgoing{SSRC: 1, MID: mid, RewriteFrameNumber: true}
			_, _ = rtpext.Build(dst, &p, &o, sub)
		},
		"UnwrapRTX": func() {
			rtx = append(rtx[:0], raw...)
			_ = p.Parse(rtx, pub)
			_, _ = rtpext.UnwrapRTX(&p, 1, 2)
			_ = p.Parse(raw, pub)
		},
		"DDParser": func() { _ = dd.Parse(p.DD, &d) },
	}
	for _, name := range []string{"Parse", "Build", "UnwrapRTX", "DDParser"} {
		if n := testing.AllocsPerRun(1000, stages[name]); n != 0 {
			t.Errorf("%s: %v allocations a packet", name, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	ids := publisher(b)
	raw := mediaPacket(b, ids, false)
	var p rtpext.Packet
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Parse(raw, ids); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	pub, sub := publisher(b), subscriber(b, false)
	var p rtpext.Packet
	if err := p.Parse(mediaPacket(b, pub, false), pub); err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 1500)
	b.ReportAllocs()
	for b.Loop() {
		o := rtpext.Outgoing{SSRC: 1}
		if _, err := rtpext.Build(dst, &p, &o, sub); err != nil {
			b.Fatal(err)
		}
	}
}
