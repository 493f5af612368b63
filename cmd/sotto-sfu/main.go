// Command sotto-sfu is the server: the page, signalling and the media plane in
// one process. It forwards media that it cannot decrypt.
package main

import (
	"fmt"
	"os"

	"github.com/sotto-sfu/sotto/internal/buildinfo"
	"github.com/sotto-sfu/sotto/internal/config"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	cfg, err := config.Parse(args, os.LookupEnv)
	if err != nil {
		return fail(err)
	}
	if cfg.Help != "" {
		fmt.Print(cfg.Help)
		return exitOK
	}
	switch cfg.Command {
	case "config":
		err = cfg.WriteYAML(os.Stdout)
	case "version":
		_, err = fmt.Println(config.Program, buildinfo.Version())
	default:
		err = serve(cfg)
	}
	if err != nil {
		return fail(err)
	}
	return exitOK
}

// fail prints the error in one line, for people, and chooses the exit code,
// for scripts.
func fail(err error) int {
	fmt.Fprintf(os.Stderr, "%s: %v\n", config.Program, err)
	return exitCode(err)
}
