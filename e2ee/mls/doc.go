// Package mls is Messaging Layer Security, RFC 9420: a group of devices agrees on keys that
// change with every change of membership, and sends messages that only the members of the moment
// can read.
//
// A [Group] is one member's view. It takes bytes in and gives bytes out; it does no input or
// output, starts no goroutine and never asks for the time, which callers pass in. A minimal life:
//
//	g, _ := mls.NewGroup(cfg, mls.GroupOptions{…}, now)        // alone, epoch 0
//	p, _ := g.Commit(mls.CommitOptions{                        // prepare to add Bob
//		Proposals: []mls.Proposal{mls.AddMember(bob)},
//	}, now)
//	save(p.State())                                            // a crash loses nothing
//	commit, _ := p.Release()                                   // to the delivery service
//	_ = g.Merge(p, now)                                        // it was accepted: epoch 1
//	send(p.Welcome())                                          // to Bob, who calls Join
//
// # What callers must do
//
// [Config.CheckLeaf] is the whole of authentication: MLS proves that a message comes from the
// holder of a key, and CheckLeaf says whose key that is. It is called for every leaf that enters
// a tree, on every way a leaf can enter.
//
// Store [State] before letting a message out. [Outgoing] and [Pending] insist on it: a key that is
// used twice after a crash breaks the encryption of both messages.
//
// The delivery service accepts one commit an epoch. A [Pending] commit becomes current by
// [Group.Merge] once it was the one; otherwise processing the other one drops it.
//
// An external commit is valid without any pre-shared key. A group that lets people join by a
// secret must say so with [ExternalCommitsWithPSK].
//
// Whoever is in the group can encrypt another member's signed message again, so application data
// needs an id of its own by which repetitions are recognised.
//
// # What the package never does
//
// It never negotiates a ciphersuite down, never changes a group when it returns an error, never
// keeps a key after its use, and never sends under a key it has not marked as used.
//
// Limits, costs, sizes and proofs are in docs/mls.md of the module.
//
// # What is not implemented
//
// ReInit and subgroup branching, verification of X.509 credentials (they are carried, and
// CheckLeaf may verify them), Add proposals sent by the joiner itself, proposals other than Remove
// from external senders, custom proposal types, and the ciphersuites 4 to 7.
package mls
