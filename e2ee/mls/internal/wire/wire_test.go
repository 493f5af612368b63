package wire

import (
	"bytes"
	"errors"
	"testing"
)

var errLong = errors.New("too long")

func TestRoundTrip(t *testing.T) {
	var w Writer
	w.U8(1)
	w.U16(2)
	w.U32(3)
	w.U64(4)
	w.Optional(true)
	w.Optional(false)
	for _, n := range []int{0, 1, 63, 64, 16383, 16384, 100000} {
		w.Opaque(bytes.Repeat([]byte{byte(n)}, n))
		w.Vector(func() { w.Raw(bytes.Repeat([]byte{7}, n)) })
	}
	r := NewReader(w.B)
	start := r.Pos()
	if r.U8() != 1 || r.U16() != 2 || r.U32() != 3 || r.U64() != 4 || !r.Optional() || r.Optional() {
		t.Fatal("integers")
	}
	if !bytes.Equal(r.Since(start), w.B[:17]) {
		t.Fatalf("since: %x", r.Since(start))
	}
	bound := Bound{Max: 100000, Err: errLong}
	for _, n := range []int{0, 1, 63, 64, 16383, 16384, 100000} {
		if b := r.Opaque(bound); len(b) != n || b == nil {
			t.Fatalf("opaque of %d bytes has %d", n, len(b))
		}
		count := 0
		r.Vector(bound, func(r *Reader) {
			if r.U8() == 7 {
				count++
			}
		})
		if count != n {
			t.Fatalf("vector of %d has %d", n, count)
		}
	}
	if err := r.Done(); err != nil {
		t.Fatal(err)
	}
}

func TestErrors(t *testing.T) {
	small := Bound{Max: 3, Err: errLong}
	for name, c := range map[string]struct {
		in   []byte
		want error
		read func(*Reader)
	}{
		"u8":              {nil, ErrTruncated, func(r *Reader) { r.U8() }},
		"u16":             {[]byte{1}, ErrTruncated, func(r *Reader) { r.U16() }},
		"u32":             {[]byte{1, 2, 3}, ErrTruncated, func(r *Reader) { r.U32() }},
		"u64":             {[]byte{1, 2, 3}, ErrTruncated, func(r *Reader) { r.U64() }},
		"negative":        {[]byte{1}, ErrTruncated, func(r *Reader) { r.Take(-1) }},
		"trailing":        {[]byte{1, 2}, ErrTrailing, func(r *Reader) { r.U8() }},
		"optional":        {[]byte{2}, ErrOptional, func(r *Reader) { r.Optional() }},
		"no optional":     {nil, ErrTruncated, func(r *Reader) { r.Optional() }},
		"reserved":        {[]byte{0xff}, ErrPrefix, func(r *Reader) { r.Length() }},
		"two for one":     {[]byte{0x40, 63}, ErrNonMinimal, func(r *Reader) { r.Length() }},
		"four for two":    {[]byte{0x80, 0, 0x3f, 0xff}, ErrNonMinimal, func(r *Reader) { r.Length() }},
		"half a prefix":   {[]byte{0x80, 0}, ErrTruncated, func(r *Reader) { r.Length() }},
		"long":            {[]byte{4, 1, 2, 3, 4}, errLong, func(r *Reader) { r.Opaque(small) }},
		"short":           {[]byte{3, 1, 2}, ErrTruncated, func(r *Reader) { r.Opaque(small) }},
		"long vector":     {[]byte{4, 1, 2, 3, 4}, errLong, func(r *Reader) { r.Vector(small, func(r *Reader) { r.U8() }) }},
		"short vector":    {[]byte{3, 1, 2}, ErrTruncated, func(r *Reader) { r.Vector(small, func(r *Reader) { r.U8() }) }},
		"no vector":       {nil, ErrTruncated, func(r *Reader) { r.Vector(small, func(r *Reader) { r.U8() }) }},
		"item too long":   {[]byte{3, 1, 2, 3, 9}, ErrTruncated, func(r *Reader) { r.Vector(small, func(r *Reader) { r.U16() }) }},
		"endless":         {[]byte{1, 1}, ErrTruncated, func(r *Reader) { r.Vector(small, func(*Reader) {}) }},
		"failed by owner": {nil, errLong, func(r *Reader) { r.Fail(errLong); r.Fail(ErrTrailing) }},
	} {
		r := NewReader(c.in)
		c.read(r)
		if err := r.Done(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if r.Err() != nil && (r.Since(0) != nil && name != "trailing" || r.More() || r.U8() != 0 || r.Take(0) != nil) {
			t.Errorf("%s: reads on after an error", name)
		}
	}
}

func TestHugeVectorPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	new(Writer).Length(1 << 30)
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{4, 1, 2, 3, 4})
	f.Add([]byte{0x40, 0x40})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(b)
		v := r.Opaque(Bound{Max: 1 << 20, Err: errLong})
		if r.Err() != nil {
			return
		}
		var w Writer
		w.Opaque(v)
		if !bytes.Equal(w.B, b[:r.Pos()]) {
			t.Fatalf("%x read as %x", b, v)
		}
	})
}
