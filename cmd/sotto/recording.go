package main

import (
	"errors"
	"sync"

	"github.com/sotto-sfu/sotto/client"
	"github.com/sotto-sfu/sotto/client/record"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// recording writes frames until the first error, which it keeps.
type recording struct {
	mu  sync.Mutex
	rec *record.Recorder
	err error
}

func (r *recording) write(f client.Frame, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil || r.rec == nil {
		return
	}
	err := r.rec.Write(record.Frame{
		Participant: string(f.Participant), Name: name, Source: string(f.Source), Codec: f.Codec,
		Timestamp: f.Timestamp, Arrival: f.Received, Key: f.Key, Data: f.Data,
	})
	if err != nil && !errors.Is(err, record.ErrTooManyFiles) {
		r.err = err
	}
}

// finish closes the files. An earlier error of the command goes first.
func (r *recording) finish(earlier error) ([]record.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	closed := r.rec.Close()
	files := r.rec.Files()
	r.rec = nil
	for _, err := range []error{earlier, r.err, closed} {
		if err == nil {
			continue
		}
		if err != earlier {
			err = &exitError{exitFiles, err}
		}
		return files, err
	}
	return files, nil
}

// roster remembers the names of all who were in the call.
type roster struct {
	mu    sync.Mutex
	names map[protocol.ParticipantID]string
}

func (r *roster) update(members []client.Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names == nil {
		r.names = make(map[protocol.ParticipantID]string)
	}
	for _, m := range members {
		if m.Name != "" {
			r.names[m.Participant] = m.Name
		}
	}
}

func (r *roster) name(id protocol.ParticipantID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.names[id]
}
