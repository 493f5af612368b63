package config

import (
	"bytes"
	"encoding"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// WriteYAML prints the effective options in a form that --config reads back:
// each with its help as a comment, and with where its value came from.
func (c *Config) WriteYAML(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Effective configuration of %s. Each option can also be given as a flag\n", Program)
	fmt.Fprintf(&out, "# (--listen) or in the environment (%s). A flag beats the environment, the\n", EnvName("listen"))
	fmt.Fprintf(&out, "# environment beats this file.\n")

	t, v, group := reflect.TypeFor[Options](), reflect.ValueOf(c.Options), ""
	for i := range t.NumField() {
		field := t.Field(i)
		if g := field.Tag.Get("group"); g != group {
			group = g
			fmt.Fprintf(&out, "\n# --- %s ---\n", group)
		}
		name := optionName(field)
		line, err := yaml.Marshal(map[string]any{name: plain(v.Field(i))})
		if err != nil {
			return fmt.Errorf("printing option %s: %w", name, err)
		}
		fmt.Fprintf(&out, "\n%s%s", comment(field.Tag.Get("help"), 76), line)
		out.Truncate(out.Len() - 1) // the source goes on the same line
		fmt.Fprintf(&out, "  # %s\n", c.source(name))
	}
	_, err := w.Write(out.Bytes())
	return err
}

// plain turns an option's value into what a person would write in YAML.
func plain(v reflect.Value) any {
	if v.Kind() == reflect.Slice {
		items := make([]any, v.Len())
		for i := range items {
			items[i] = plain(v.Index(i))
		}
		return flow(items)
	}
	switch x := v.Interface().(type) {
	case encoding.TextMarshaler:
		if text, err := x.MarshalText(); err == nil {
			return string(text)
		}
		return ""
	case fmt.Stringer: // time.Duration
		return x.String()
	default:
		return x
	}
}

// flow keeps a list on one line, where its source comment can follow.
func flow(items []any) *yaml.Node {
	n := new(yaml.Node)
	if err := n.Encode(items); err != nil {
		return &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	}
	n.Style = yaml.FlowStyle
	return n
}

func comment(text string, width int) string {
	var out strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width {
			out.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	out.WriteString(line + "\n")
	return out.String()
}

// optionName is the name kong gives to a field: its tag, or the field's own
// name in kebab-case.
func optionName(f reflect.StructField) string {
	if name := f.Tag.Get("name"); name != "" {
		return name
	}
	var out []rune
	runes := []rune(f.Name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			out = append(out, '-')
		}
		out = append(out, unicode.ToLower(r))
	}
	return string(out)
}
