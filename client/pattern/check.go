package pattern

import (
	"fmt"
	"image"
)

// tolerance is how far a decoded colour may be off in each of red, green and blue.
// Studio range, rounding and lossy coding together stay below 20.
const tolerance = 40

// Check samples the middle of each bar of a decoded picture of any size and tells
// the first that is not the pattern's.
func Check(img image.Image) error {
	b := img.Bounds()
	for i, want := range Bars {
		x := b.Min.X + b.Dx()*(2*i+1)/(2*len(Bars))
		y := b.Min.Y + b.Dy()*BarsHeight/Height/2
		r, g, bl, _ := img.At(x, y).RGBA()
		got := [3]uint8{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8)}
		for j := range got {
			if d := int(got[j]) - int(want[j]); d > tolerance || d < -tolerance {
				return fmt.Errorf("pattern: bar %d at (%d,%d) is %v, want %v", i, x, y, got, want)
			}
		}
	}
	return nil
}
