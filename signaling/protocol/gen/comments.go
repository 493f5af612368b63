package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// readComments collects the doc and line comments of types ("HelloRequest"),
// fields ("HelloRequest.Client") and words ("\"bad_json\"") of a package
// folder, so that the page's types and the document say what the Go types say.
func readComments(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string)
	fset := token.NewFileSet()
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					addType(out, gen, spec)
				case *ast.ValueSpec:
					addConstant(out, spec)
				}
			}
		}
	}
	return out, nil
}

// addConstant notes the comment of a word under its Go spelling, quotes and
// all.
func addConstant(out map[string]string, spec *ast.ValueSpec) {
	if len(spec.Values) != 1 || spec.Comment == nil {
		return
	}
	if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
		out[lit.Value] = tidy(spec.Comment.Text())
	}
}

func addType(out map[string]string, gen *ast.GenDecl, spec *ast.TypeSpec) {
	doc := spec.Doc.Text()
	if doc == "" {
		doc = gen.Doc.Text()
	}
	out[spec.Name.Name] = tidy(doc)
	st, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range st.Fields.List {
		text := f.Doc.Text()
		if text == "" {
			text = f.Comment.Text()
		}
		for _, name := range f.Names {
			out[spec.Name.Name+"."+name.Name] = tidy(text)
		}
	}
}

// tidy folds a comment into one paragraph without Go's link brackets.
func tidy(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("[", "", "]", "", "*/", "").Replace(s)
}
