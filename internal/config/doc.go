// Package config reads the settings of sotto-sfu from flags, environment and
// one YAML file, and prints the ones in force.
//
// Every option has one name in three spellings: --max-participants,
// SOTTO_MAX_PARTICIPANTS and "max-participants:" in the file. A flag beats the
// environment, which beats the file, which beats the default. A name or value
// that is not understood is an error that names the option, where it was given
// and what would be accepted; nothing is ignored in silence.
//
// The package must never hold a secret that decrypts anything: the server has
// none. It reads the file it is told to read and opens nothing else.
package config
