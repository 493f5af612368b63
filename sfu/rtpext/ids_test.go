package rtpext_test

import (
	"testing"

	"github.com/sotto-sfu/sotto/sfu/rtpext"
)

func TestIDs(t *testing.T) {
	var ids rtpext.IDs
	if got := ids.ID(rtpext.MID); got != 0 {
		t.Errorf("ID(MID) of the zero value = %d", got)
	}
	set(t, &ids, rtpext.MID, 4)
	set(t, &ids, rtpext.AudioLevel, 4) // takes the id over
	if ids.ID(rtpext.MID) != 0 || ids.Extension(4) != rtpext.AudioLevel {
		t.Errorf("after rebinding id 4: MID has %d, 4 is %v", ids.ID(rtpext.MID), ids.Extension(4))
	}
	set(t, &ids, rtpext.AudioLevel, 5) // moves to another id
	if ids.Extension(4) != rtpext.None || ids.ID(rtpext.AudioLevel) != 5 {
		t.Errorf("after moving: 4 is %v, AudioLevel has %d", ids.Extension(4), ids.ID(rtpext.AudioLevel))
	}
	for _, bad := range []struct {
		ext rtpext.Extension
		id  uint8
	}{{rtpext.None, 1}, {200, 1}, {rtpext.MID, 0}} {
		if ids.Set(bad.ext, bad.id) == nil {
			t.Errorf("Set(%d, %d) succeeded", bad.ext, bad.id)
		}
	}
}

func TestURIs(t *testing.T) {
	for e := rtpext.MID; e <= rtpext.DependencyDescriptor; e++ {
		if e.URI() == "" || rtpext.ByURI(e.URI()) != e {
			t.Errorf("extension %d: URI %q does not lead back", e, e.URI())
		}
	}
	if rtpext.ByURI("") != rtpext.None || rtpext.ByURI("urn:example") != rtpext.None {
		t.Error("an unknown URI has a meaning")
	}
	if rtpext.Extension(99).URI() != "" || rtpext.None.URI() != "" {
		t.Error("an unknown extension has a URI")
	}
}

func set(t testing.TB, ids *rtpext.IDs, e rtpext.Extension, id uint8) {
	t.Helper()
	if err := ids.Set(e, id); err != nil {
		t.Fatal(err)
	}
}

// publisher has ids as a browser would choose them.
func publisher(t testing.TB) *rtpext.IDs {
	t.Helper()
	var ids rtpext.IDs
	set(t, &ids, rtpext.AudioLevel, 1)
	set(t, &ids, rtpext.AbsSendTime, 2)
	set(t, &ids, rtpext.TransportCC, 3)
	set(t, &ids, rtpext.MID, 4)
	set(t, &ids, rtpext.RID, 10)
	set(t, &ids, rtpext.RepairedRID, 11)
	set(t, &ids, rtpext.DependencyDescriptor, 12)
	return &ids
}
