package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds the configuration file: a real one has a few kilobytes.
const maxFileBytes = 1 << 20

// parseFile reads a flat YAML mapping of option names to scalars or lists of
// scalars. Keys that are not in names are errors with the nearest name.
func parseFile(path string, data []byte, names []string) (values, error) {
	fail := func(line int, format string, args ...any) error {
		where := path
		if line > 0 {
			where = fmt.Sprintf("%s:%d", path, line)
		}
		return &Error{Reason: where + ": " + fmt.Sprintf(format, args...)}
	}

	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil // an empty file sets nothing
	} else if err != nil {
		return nil, fail(0, "%s", oneLine(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fail(0, "only one YAML document is allowed")
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fail(root.Line, "expected lines of the form \"option: value\"")
	}

	out := make(values)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		if key.Kind != yaml.ScalarNode || !slices.Contains(names, key.Value) {
			return nil, fail(key.Line, "unknown option %q%s", key.Value, suggestion(key.Value, names))
		}
		if _, twice := out[key.Value]; twice {
			return nil, fail(key.Line, "%s is set twice", key.Value)
		}
		text, err := scalars(node)
		if err != nil {
			return nil, fail(node.Line, "%s: %s", key.Value, err)
		}
		out[key.Value] = value{text: text, source: fmt.Sprintf("%s:%d", path, key.Line)}
	}
	return out, nil
}

// scalars spells a node as it would be on the command line: lists are joined
// by commas.
func scalars(node *yaml.Node) (string, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		if node.Tag == "!!null" {
			return "", errors.New("has no value; remove the line, or write \"\" for none")
		}
		return node.Value, nil
	case yaml.SequenceNode:
		items := make([]string, 0, len(node.Content))
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
				return "", errors.New("a list may hold plain values only")
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	default:
		return "", errors.New("expected a plain value or a list of them")
	}
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
