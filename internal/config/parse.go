package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Program is the name under which usage and errors speak.
const Program = "sotto-sfu"

// Environment looks up an environment variable, as os.LookupEnv does.
type Environment func(name string) (value string, ok bool)

// Env makes an Environment of a map, for tests and for callers that want none.
func Env(vars map[string]string) Environment {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

// EnvName spells an option as an environment variable.
func EnvName(option string) string {
	return "SOTTO_" + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

// Config is a parsed and checked command line.
type Config struct {
	Options
	// Command is serve, config or version.
	Command string
	// Help is the usage text, set if --help was given; nothing else is then
	// to be relied on.
	Help string
	// Sources says for each option where its value came from.
	Sources map[string]string
}

// Error is a setting that cannot be used.
type Error struct {
	Option string // the option's name, without dashes; empty if there is none
	Source string // where it was given: a flag, a variable, a file and line
	Reason string // what is wrong and what would be accepted
}

// Error implements the error interface in one line.
func (e *Error) Error() string {
	switch {
	case e.Option == "":
		return e.Reason
	case e.Source == "" || e.Source == sourceDefault:
		return e.Option + ": " + e.Reason
	default:
		return e.Option + " (from " + e.Source + "): " + e.Reason
	}
}

const (
	sourceDefault = "default"
	sourceFlag    = "flag"
)

// cli is the command line as kong sees it.
type cli struct {
	ConfigFile string `name:"config" type:"path" placeholder:"FILE" help:"YAML file with any of the options below, under the same names."`
	Options

	Serve   struct{} `cmd:"" default:"1" help:"Run the server. This is the default."`
	Config  struct{} `cmd:"" help:"Print the effective configuration as YAML, with where each value came from."`
	Version struct{} `cmd:"" help:"Print the version."`
}

const description = "Sotto: end-to-end encrypted calls. This server forwards media that it cannot decrypt."

// Parse reads a command line (without the program's name), the environment
// and the file that they name, and checks the result. Every error is a *Error.
func Parse(args []string, env Environment) (*Config, error) {
	var c cli
	var usage bytes.Buffer
	helped := false
	parser, err := kong.New(&c,
		kong.Name(Program),
		kong.Description(description),
		kong.Writers(&usage, io.Discard),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ValueFormatter(helpText),
	)
	if err != nil {
		return nil, &Error{Reason: err.Error()}
	}

	file, err := readNamedFile(parser, args, env)
	if err != nil {
		return nil, err
	}
	sources := make(map[string]string)
	if err := kong.Resolvers(&resolver{values: file, sources: sources}, envResolver(env, sources)).Apply(parser); err != nil {
		return nil, &Error{Reason: err.Error()}
	}

	ctx, err := parser.Parse(args)
	if helped {
		return &Config{Help: usage.String()}, nil
	}
	if err != nil {
		return nil, parseError(err)
	}
	for _, p := range ctx.Path {
		if p.Flag != nil && !p.Resolved {
			sources[p.Flag.Name] = sourceFlag
		}
	}
	cfg := &Config{Options: c.Options, Command: ctx.Command(), Sources: sources}
	cfg.dropEmptyLists()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// dropEmptyLists makes an empty list the same as none, however it was spelled.
func (c *Config) dropEmptyLists() {
	v := reflect.ValueOf(&c.Options).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 {
			f.SetZero()
		}
	}
}

// helpText adds the default to an option's help.
func helpText(value *kong.Value) string {
	if value.Default == "" || value.Default == "true" || value.Default == "0" {
		return value.Help
	}
	return value.Help + " Default: " + value.Default + "."
}

// readNamedFile finds --config ahead of the real parse, because the file's
// values must be there when the options are resolved. Mistakes in the other
// arguments are left for the real parse to report.
func readNamedFile(parser *kong.Kong, args []string, env Environment) (values, error) {
	path, source := "", ""
	if v, ok := env(EnvName("config")); ok && v != "" {
		path, source = v, EnvName("config")
	}
	if ctx, err := kong.Trace(parser, args); err == nil {
		for _, p := range ctx.Path {
			if p.Flag != nil && p.Flag.Name == "config" {
				path, source = ctx.FlagValue(p.Flag).(string), "--config"
			}
		}
	}
	if path == "" {
		return nil, nil
	}
	data, err := readBounded(path, maxFileBytes)
	if err != nil {
		return nil, &Error{Option: "config", Source: source, Reason: err.Error()}
	}
	return parseFile(path, data, optionNames(parser))
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, nil
}

// optionNames lists what may stand in the file: every flag but --help and
// --config itself.
func optionNames(parser *kong.Kong) []string {
	var names []string
	for _, f := range parser.Model.Flags {
		if f.Name != "help" && f.Name != "config" {
			names = append(names, f.Name)
		}
	}
	return names
}

// value is one setting that was given outside the command line.
type value struct {
	text   string
	source string
}

type values map[string]value

// resolver hands values to kong. It decodes each once by itself first, so that
// a bad one is reported with the place it came from.
type resolver struct {
	values  values
	sources map[string]string
}

func (r *resolver) Validate(*kong.Application) error { return nil }

func (r *resolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := r.values[flag.Name]
	if !ok {
		return nil, nil
	}
	if err := decodes(flag, v.text); err != nil {
		return nil, &Error{Option: flag.Name, Source: v.source, Reason: err.Error()}
	}
	r.sources[flag.Name] = v.source
	return v.text, nil
}

// envResolver reads the environment. It comes after the file, and kong takes
// the last answer.
func envResolver(env Environment, sources map[string]string) kong.Resolver {
	return kong.ResolverFunc(func(ctx *kong.Context, path *kong.Path, flag *kong.Flag) (any, error) {
		name := EnvName(flag.Name)
		text, ok := env(name)
		if !ok || flag.Name == "help" {
			return nil, nil
		}
		one := resolver{values: values{flag.Name: {text: text, source: name}}, sources: sources}
		return one.Resolve(ctx, path, flag)
	})
}

func decodes(flag *kong.Flag, text string) error {
	scratch := reflect.New(flag.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(text, kong.FlagValueToken)
	return flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, scratch)
}

func parseError(err error) error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return own
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if !strings.HasSuffix(text, "?") {
		text += " (see " + Program + " --help)"
	}
	return &Error{Reason: text}
}
