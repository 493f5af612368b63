package main

import (
	"fmt"
	"strings"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/play"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// sending is one thing to send.
type sending struct {
	source protocol.Source
	clip   *play.Clip
}

// openSendings reads what the --send flags name and gives each a source: video goes
// to the camera, a second one to the screen; audio to the microphone, a second one to the
// screen's sound.
func openSendings(specs []string, loop bool) ([]sending, error) {
	var out []sending
	taken := make(map[protocol.Source]bool)
	for _, spec := range specs {
		clip, err := openClip(spec)
		if err != nil {
			return nil, &exitError{exitFiles, fmt.Errorf("--send %s: %w", spec, err)}
		}
		clip.Loop = clip.Loop || loop
		first, second := protocol.SourceMic, protocol.SourceScreenAudio
		if clip.Codec.Video() {
			first, second = protocol.SourceCamera, protocol.SourceScreen
		}
		switch {
		case !taken[first]:
			taken[first] = true
			out = append(out, sending{first, clip})
		case !taken[second]:
			taken[second] = true
			out = append(out, sending{second, clip})
		default:
			return nil, &exitError{exitUsage, fmt.Errorf("--send %s: at most two videos and two sounds", spec)}
		}
	}
	return out, nil
}

func openClip(spec string) (*play.Clip, error) {
	if spec == "tone" {
		return play.Tone()
	}
	name, kind, _ := strings.Cut(spec, ":")
	if name != "pattern" {
		return play.Open(spec)
	}
	c := codec.VP8
	if kind != "" {
		var err error
		if c, err = codec.Parse(kind); err != nil || !c.Video() {
			return nil, fmt.Errorf("want pattern:vp8, pattern:vp9 or pattern:av1")
		}
	}
	return play.Pattern(c)
}
