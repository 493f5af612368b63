package mls

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
)

// passiveClient is a vector in which we join by a Welcome and follow the commits of others.
type passiveClient struct {
	Suite        uint16 `json:"cipher_suite"`
	ExternalPSKs []struct {
		ID  hexBytes `json:"psk_id"`
		PSK hexBytes `json:"psk"`
	} `json:"external_psks"`
	KeyPackage    hexBytes  `json:"key_package"`
	SignPriv      hexBytes  `json:"signature_priv"`
	EncPriv       hexBytes  `json:"encryption_priv"`
	InitPriv      hexBytes  `json:"init_priv"`
	Welcome       hexBytes  `json:"welcome"`
	Tree          *hexBytes `json:"ratchet_tree"`
	Authenticator hexBytes  `json:"initial_epoch_authenticator"`
	Epochs        []struct {
		Proposals     []hexBytes `json:"proposals"`
		Commit        hexBytes   `json:"commit"`
		Authenticator hexBytes   `json:"epoch_authenticator"`
	} `json:"epochs"`
}

func (v *passiveClient) run(t *testing.T, s *suite.Suite) {
	cfg := &Config{
		Signer: vectorSigner(t, s, v.SignPriv), Rand: rand.Reader,
		CheckLeaf:             func(LeafEvent) error { return nil },
		Handshakes:            HandshakesEither,
		ExternalCommits:       ExternalCommitsOpen,
		TolerateExpiredLeaves: true,
		AllowCredentialChange: true,
		ResumptionEpochs:      1000,
		PSK: func(id PreSharedKeyID) ([]byte, error) {
			for _, p := range v.ExternalPSKs {
				if id.Type == PSKExternal && bytes.Equal(p.ID, id.ID) {
					return p.PSK, nil
				}
			}
			return nil, nil
		},
	}
	k := &OwnKeyPackage{public: must(ParseKeyPackage(v.KeyPackage)), initPrivate: v.InitPriv, leafPrivate: v.EncPriv}
	var o JoinOptions
	if v.Tree != nil {
		o.RatchetTree = *v.Tree
	}
	g, err := Join(cfg, v.Welcome, k, o, testNow)
	if err != nil {
		t.Fatalf("joining: %v", err)
	}
	if have := must(g.EpochAuthenticator()); !bytes.Equal(have, v.Authenticator) {
		t.Fatalf("initial authenticator %x, want %x", have, v.Authenticator)
	}
	for n, e := range v.Epochs {
		for _, p := range e.Proposals {
			if _, err := g.Process(p, testNow); err != nil {
				t.Fatalf("epoch %d: proposal: %v", n, err)
			}
		}
		// The state must survive storage at any moment.
		if g, err = Restore(cfg, g.State()); err != nil {
			t.Fatalf("epoch %d: restoring: %v", n, err)
		}
		if _, err := g.Process(e.Commit, testNow); err != nil {
			t.Fatalf("epoch %d: commit: %v", n, err)
		}
		if have := must(g.EpochAuthenticator()); !bytes.Equal(have, e.Authenticator) {
			t.Fatalf("epoch %d: authenticator %x, want %x", n, have, e.Authenticator)
		}
	}
}

func testPassiveClient(t *testing.T, name string, minEpochs int) {
	list, c := loadVectors[passiveClient](t, name)
	epochs := 0
	for i := range list {
		s, ok := c.suite(list[i].Suite)
		if !ok {
			continue
		}
		list[i].run(t, s)
		epochs += len(list[i].Epochs)
		c.passed++
	}
	if epochs < minEpochs {
		t.Fatalf("followed %d epochs, want at least %d", epochs, minEpochs)
	}
	t.Logf("%d epochs followed", epochs)
}

func TestVectorsPassiveClientWelcome(t *testing.T) {
	testPassiveClient(t, "passive-client-welcome.json", 0)
}

func TestVectorsPassiveClientHandlingCommit(t *testing.T) {
	testPassiveClient(t, "passive-client-handling-commit.json", 50)
}

func TestVectorsPassiveClientRandom(t *testing.T) {
	testPassiveClient(t, "passive-client-random.json", 200)
}
