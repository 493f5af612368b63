// Package interop holds nothing but tests: they play e2ee/mls against ts-mls, an
// MLS implementation by other people in another language, so that a mistake
// both ends of our own code would agree on is found. Run them with
// `make interop`; they need Node and the packages of package.json.
//
// Nothing of ts-mls may ever be shipped: it is a development dependency.
package interop
