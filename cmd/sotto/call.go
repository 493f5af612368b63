package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sotto-sfu/sotto/client"
	"github.com/sotto-sfu/sotto/client/play"
	"github.com/sotto-sfu/sotto/client/record"
	"github.com/sotto-sfu/sotto/internal/buildinfo"
)

// callCmd is "sotto call".
type callCmd struct {
	Link string `arg:"" optional:"" help:"Invitation link, in single quotes: it holds the key of the call."`
	New  string `placeholder:"URL" help:"Start a new call on this server instead; the link is printed first."`

	Send         []string      `placeholder:"WHAT" sep:"none" help:"Send FILE.ivf, FILE.ogg, pattern[:vp8|vp9|av1] or tone. May be repeated."`
	Loop         bool          `help:"Begin files again at their end."`
	Record       string        `placeholder:"DIR" type:"path" help:"Record each participant's audio and video into this folder."`
	Duration     time.Duration `help:"Leave after so long, e.g. 30s. Without it: at Ctrl-C."`
	Name         string        `help:"How others see you."`
	JSON         bool          `name:"json" help:"End with a summary in JSON, and show no progress."`
	TCPOnly      bool          `name:"tcp-only" help:"Send media over TCP only."`
	Insecure     bool          `help:"Accept any certificate, and plain http. Always accepted on this machine itself."`
	RequireMedia bool          `help:"Fail with exit code 6 unless media came and all of it decrypted."`
	Log          string        `enum:"error,warn,info,debug" default:"warn" help:"What to log on standard error: ${enum}."`
}

// connectTimeout bounds logging in and joining, each.
const connectTimeout = 30 * time.Second

// farewell bounds leaving.
const farewell = 5 * time.Second

// Validate implements kong's check of arguments.
func (c *callCmd) Validate() error {
	if (c.Link == "") == (c.New == "") {
		return errors.New("want either a LINK or --new URL")
	}
	if c.Duration < 0 {
		return errors.New("--duration must not be negative")
	}
	return nil
}

// Run joins the call and stays until it is time to leave.
func (c *callCmd) Run(ctx context.Context, term terminal) error {
	sendings, err := openSendings(c.Send, c.Loop)
	if err != nil {
		return err
	}
	begin := time.Now()
	var rec *recording
	if c.Record != "" {
		r, err := record.New(c.Record, begin)
		if err != nil {
			return &exitError{exitFiles, err}
		}
		rec = &recording{rec: r}
	}
	call, err := c.join(ctx, term)
	if err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C while connecting is no failure
		}
		return &exitError{exitRefused, err}
	}
	names := &roster{}
	call.OnMembers(names.update)
	call.OnFrame(func(f client.Frame) {
		if rec != nil {
			rec.write(f, names.name(f.Participant))
		}
	})
	err = c.stay(ctx, term, call, sendings)
	transport := call.Transport()
	if leaving := leave(call); err == nil && leaving != nil && call.Err() == nil {
		fmt.Fprintf(term.err, "sotto: leaving: %s\n", printable(leaving.Error()))
	}
	s := summarize(call, names, transport, begin)
	if rec != nil {
		s.Files, err = rec.finish(err)
	}
	if printed := s.print(term.out, c.JSON); err == nil {
		err = printed
	}
	if err == nil && c.RequireMedia {
		err = s.complete()
	}
	return err
}

// join logs in and joins. A new call's link is the first line of the output.
func (c *callCmd) join(ctx context.Context, term terminal) (*client.Call, error) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Log)) // one of the enum
	cfg := client.Config{
		Link: c.Link, URL: c.New, Name: c.Name, TCPOnly: c.TCPOnly, Insecure: c.Insecure,
		Program: "sotto/" + buildinfo.Version(),
		Logger:  slog.New(slog.NewTextHandler(term.err, &slog.HandlerOptions{Level: level})),
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	cl, err := client.Dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if c.New != "" {
		fmt.Fprintln(term.out, cl.Invitation())
	}
	call, err := cl.Join(ctx)
	if err != nil {
		cl.Close()
		return nil, err
	}
	return call, nil
}

// stay sends, and returns when it is time to leave, with an error if the call ended
// by itself or something could not be sent.
func (c *callCmd) stay(ctx context.Context, term terminal, call *client.Call, sendings []sending) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.Duration > 0 {
		timer := time.AfterFunc(c.Duration, func() { cancel(nil) })
		defer timer.Stop()
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	for _, s := range sendings {
		track, err := call.Publish(s.source, s.clip.Codec)
		if err != nil {
			return fmt.Errorf("sending %s: %w", s.source, err)
		}
		wg.Go(func() {
			err := play.Run(ctx, track, s.clip)
			if err != nil && !errors.Is(err, client.ErrTrackClosed) {
				cancel(fmt.Errorf("sending %s: %w", s.source, err))
			}
			track.Close()
		})
	}
	if term.live && !c.JSON {
		wg.Go(func() { showProgress(ctx, term.err, call) })
	}
	select {
	case <-ctx.Done():
		if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	case <-call.Done():
		return &exitError{exitLost, fmt.Errorf("the call ended: %w", call.Err())}
	}
}

// leave says goodbye, also after Ctrl-C has ended the command's context.
func leave(call *client.Call) error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	return call.Leave(ctx)
}
