package server

import "os"

// openDataDir makes the data folder if it is missing, private to this user,
// and tries to write in it: better now than at the first call.
func openDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &DataError{Option: "data-dir", Path: dir, Err: err}
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return &DataError{Option: "data-dir", Path: dir, Err: err}
	}
	_, err = probe.WriteString("probe")
	if cerr := probe.Close(); err == nil {
		err = cerr
	}
	if rerr := os.Remove(probe.Name()); err == nil {
		err = rerr
	}
	if err != nil {
		return &DataError{Option: "data-dir", Path: dir, Err: err}
	}
	return nil
}
