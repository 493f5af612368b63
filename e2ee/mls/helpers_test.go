package mls

import "time"

// testNow is the time of all tests.
var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
