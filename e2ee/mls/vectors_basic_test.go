package mls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// vectorSigner makes a signer of a private key in the encoding of the vectors.
func vectorSigner(t *testing.T, s *suite.Suite, priv []byte) crypto.Signer {
	t.Helper()
	if s.ID == 2 {
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), priv)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	return ed25519.NewKeyFromSeed(priv)
}

func TestVectorsTreeMath(t *testing.T) {
	list, c := loadVectors[struct {
		Leaves  uint32    `json:"n_leaves"`
		Nodes   uint32    `json:"n_nodes"`
		Root    uint32    `json:"root"`
		Left    []*uint32 `json:"left"`
		Right   []*uint32 `json:"right"`
		Parent  []*uint32 `json:"parent"`
		Sibling []*uint32 `json:"sibling"`
	}](t, "tree-math.json")
	for i, v := range list {
		if treemath.Width(v.Leaves) != v.Nodes || treemath.Root(v.Leaves) != treemath.Node(v.Root) {
			t.Fatalf("vector %d: width or root", i)
		}
		for x := range v.Nodes {
			check := func(name string, want *uint32, exists bool, f func(treemath.Node) treemath.Node) {
				if exists != (want != nil) {
					t.Fatalf("vector %d: %s of %d exists: %v", i, name, x, want != nil)
				}
				if exists && f(treemath.Node(x)) != treemath.Node(*want) {
					t.Fatalf("vector %d: %s of %d is %d, want %d", i, name, x, f(treemath.Node(x)), *want)
				}
			}
			leaf, root := treemath.IsLeaf(treemath.Node(x)), x == v.Root
			check("left", v.Left[x], !leaf, treemath.Left)
			check("right", v.Right[x], !leaf, treemath.Right)
			check("parent", v.Parent[x], !root, treemath.Parent)
			check("sibling", v.Sibling[x], !root, treemath.Sibling)
		}
		c.passed++
	}
}

func TestVectorsDeserialization(t *testing.T) {
	list, c := loadVectors[struct {
		Header hexBytes `json:"vlbytes_header"`
		Length int      `json:"length"`
	}](t, "deserialization.json")
	for i, v := range list {
		r := wire.NewReader(v.Header)
		if n := r.Length(); n != v.Length || r.Done() != nil {
			t.Fatalf("vector %d: length %d, want %d, %v", i, n, v.Length, r.Err())
		}
		var w wire.Writer
		w.Length(v.Length)
		wantBytes(t, i, "header", w.B, v.Header)
		c.passed++
	}
}

func TestVectorsCryptoBasics(t *testing.T) {
	list, c := loadVectors[struct {
		Suite   uint16 `json:"cipher_suite"`
		RefHash struct {
			Label      string
			Value, Out hexBytes
		} `json:"ref_hash"`
		Expand struct {
			Label                string
			Secret, Context, Out hexBytes
			Length               int
		} `json:"expand_with_label"`
		Derive struct {
			Label       string
			Secret, Out hexBytes
		} `json:"derive_secret"`
		DeriveTree struct {
			Label       string
			Secret, Out hexBytes
			Generation  uint32
			Length      int
		} `json:"derive_tree_secret"`
		Sign struct {
			Label                         string
			Priv, Pub, Content, Signature hexBytes
		} `json:"sign_with_label"`
		Encrypt struct {
			Label                                     string
			Priv, Pub, Context, Plaintext, Ciphertext hexBytes
			KEMOutput                                 hexBytes `json:"kem_output"`
		} `json:"encrypt_with_label"`
	}](t, "crypto-basics.json")
	for i, v := range list {
		s, ok := c.suite(v.Suite)
		if !ok {
			continue
		}
		wantBytes(t, i, "ref hash", s.RefHash(v.RefHash.Label, v.RefHash.Value), v.RefHash.Out)
		wantBytes(t, i, "expand", s.ExpandWithLabel(v.Expand.Secret, v.Expand.Label, v.Expand.Context, v.Expand.Length), v.Expand.Out)
		wantBytes(t, i, "derive", s.DeriveSecret(v.Derive.Secret, v.Derive.Label), v.Derive.Out)
		wantBytes(t, i, "derive tree", s.DeriveTreeSecret(v.DeriveTree.Secret, v.DeriveTree.Label, v.DeriveTree.Generation, v.DeriveTree.Length), v.DeriveTree.Out)
		if !s.VerifyWithLabel(v.Sign.Pub, v.Sign.Label, v.Sign.Content, v.Sign.Signature) {
			t.Fatalf("vector %d: signature", i)
		}
		sig := must(s.SignWithLabel(rand.Reader, vectorSigner(t, s, v.Sign.Priv), v.Sign.Label, v.Sign.Content))
		if !s.VerifyWithLabel(v.Sign.Pub, v.Sign.Label, v.Sign.Content, sig) {
			t.Fatalf("vector %d: own signature", i)
		}
		e := v.Encrypt
		plain := must(s.DecryptWithLabel(e.Priv, e.Label, e.Context, e.KEMOutput, e.Ciphertext))
		wantBytes(t, i, "decrypt", plain, e.Plaintext)
		kem, ct, err := s.EncryptWithLabel(must(s.ParsePublicKey(e.Pub)), e.Label, e.Context, e.Plaintext)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, i, "own encryption", must(s.DecryptWithLabel(e.Priv, e.Label, e.Context, kem, ct)), e.Plaintext)
		c.passed++
	}
}

func TestVectorsPSKSecret(t *testing.T) {
	list, c := loadVectors[struct {
		Suite uint16 `json:"cipher_suite"`
		PSKs  []struct {
			ID    hexBytes `json:"psk_id"`
			PSK   hexBytes `json:"psk"`
			Nonce hexBytes `json:"psk_nonce"`
		} `json:"psks"`
		Secret hexBytes `json:"psk_secret"`
	}](t, "psk_secret.json")
	for i, v := range list {
		s, ok := c.suite(v.Suite)
		if !ok {
			continue
		}
		var psks []pskInput
		for _, p := range v.PSKs {
			psks = append(psks, pskInput{PreSharedKeyID{Type: PSKExternal, ID: p.ID, Nonce: p.Nonce}, p.PSK})
		}
		wantBytes(t, i, "psk secret", pskSecret(s, psks), v.Secret)
		c.passed++
	}
}

func TestVectorsKeySchedule(t *testing.T) {
	list, c := loadVectors[struct {
		Suite   uint16   `json:"cipher_suite"`
		GroupID hexBytes `json:"group_id"`
		Init    hexBytes `json:"initial_init_secret"`
		Epochs  []struct {
			TreeHash      hexBytes `json:"tree_hash"`
			Commit        hexBytes `json:"commit_secret"`
			PSK           hexBytes `json:"psk_secret"`
			Transcript    hexBytes `json:"confirmed_transcript_hash"`
			Context       hexBytes `json:"group_context"`
			Joiner        hexBytes `json:"joiner_secret"`
			Welcome       hexBytes `json:"welcome_secret"`
			Init          hexBytes `json:"init_secret"`
			SenderData    hexBytes `json:"sender_data_secret"`
			Encryption    hexBytes `json:"encryption_secret"`
			ExporterS     hexBytes `json:"exporter_secret"`
			Authenticator hexBytes `json:"epoch_authenticator"`
			External      hexBytes `json:"external_secret"`
			Confirmation  hexBytes `json:"confirmation_key"`
			Membership    hexBytes `json:"membership_key"`
			Resumption    hexBytes `json:"resumption_psk"`
			ExternalPub   hexBytes `json:"external_pub"`
			Exporter      struct {
				Label           string
				Context, Secret hexBytes
				Length          int
			} `json:"exporter"`
		} `json:"epochs"`
	}](t, "key-schedule.json")
	for i, v := range list {
		s, ok := c.suite(v.Suite)
		if !ok {
			continue
		}
		initSecret := []byte(v.Init)
		for n, e := range v.Epochs {
			ctx := groupContext{
				version: MLS10, cipherSuite: CipherSuite(v.Suite), groupID: v.GroupID, epoch: uint64(n),
				treeHash: e.TreeHash, confirmedTranscript: e.Transcript,
			}
			wantBytes(t, i, "group context", ctx.encode(), e.Context)
			joiner := joinerSecret(s, initSecret, e.Commit, e.Context)
			wantBytes(t, i, "joiner secret", joiner, e.Joiner)
			member := memberSecret(s, joiner, e.PSK)
			wantBytes(t, i, "welcome secret", s.DeriveSecret(member, "welcome"), e.Welcome)
			secrets, encryption := deriveEpoch(s, epochSecret(s, member, e.Context))
			wantBytes(t, i, "encryption secret", encryption, e.Encryption)
			wantBytes(t, i, "sender data secret", secrets.senderData, e.SenderData)
			wantBytes(t, i, "exporter secret", secrets.exporter, e.ExporterS)
			wantBytes(t, i, "authenticator", secrets.authenticator, e.Authenticator)
			wantBytes(t, i, "external secret", secrets.external, e.External)
			wantBytes(t, i, "confirmation key", secrets.confirmation, e.Confirmation)
			wantBytes(t, i, "membership key", secrets.membership, e.Membership)
			wantBytes(t, i, "resumption psk", secrets.resumption, e.Resumption)
			wantBytes(t, i, "init secret", secrets.init, e.Init)
			wantBytes(t, i, "external pub", must(externalPub(s, secrets.external)), e.ExternalPub)
			wantBytes(t, i, "exported", exportSecret(s, secrets.exporter, e.Exporter.Label, e.Exporter.Context, e.Exporter.Length), e.Exporter.Secret)
			initSecret = secrets.init
		}
		c.passed++
	}
}

func TestVectorsSecretTree(t *testing.T) {
	list, c := loadVectors[struct {
		Suite      uint16   `json:"cipher_suite"`
		Encryption hexBytes `json:"encryption_secret"`
		SenderData struct {
			Secret     hexBytes `json:"sender_data_secret"`
			Ciphertext hexBytes `json:"ciphertext"`
			Key        hexBytes `json:"key"`
			Nonce      hexBytes `json:"nonce"`
		} `json:"sender_data"`
		Leaves [][]struct {
			Generation       uint32   `json:"generation"`
			HandshakeKey     hexBytes `json:"handshake_key"`
			HandshakeNonce   hexBytes `json:"handshake_nonce"`
			ApplicationKey   hexBytes `json:"application_key"`
			ApplicationNonce hexBytes `json:"application_nonce"`
		} `json:"leaves"`
	}](t, "secret-tree.json")
	for i, v := range list {
		s, ok := c.suite(v.Suite)
		if !ok {
			continue
		}
		key, nonce := senderDataKey(s, v.SenderData.Secret, v.SenderData.Ciphertext)
		wantBytes(t, i, "sender data key", key, v.SenderData.Key)
		wantBytes(t, i, "sender data nonce", nonce, v.SenderData.Nonce)
		tree := newSecretTree(s, uint32(len(v.Leaves)), v.Encryption)
		for leaf, generations := range v.Leaves {
			for _, g := range generations {
				h := must(tree.find(LeafIndex(leaf), ratchetHandshake, g.Generation))
				wantBytes(t, i, "handshake key", h.key.key, g.HandshakeKey)
				wantBytes(t, i, "handshake nonce", h.key.nonce, g.HandshakeNonce)
				h.take()
				a := must(tree.find(LeafIndex(leaf), ratchetApplication, g.Generation))
				wantBytes(t, i, "application key", a.key.key, g.ApplicationKey)
				wantBytes(t, i, "application nonce", a.key.nonce, g.ApplicationNonce)
				a.take()
			}
		}
		c.passed++
	}
}

func TestVectorsTranscriptHashes(t *testing.T) {
	list, c := loadVectors[struct {
		Suite         uint16   `json:"cipher_suite"`
		Key           hexBytes `json:"confirmation_key"`
		Content       hexBytes `json:"authenticated_content"`
		InterimBefore hexBytes `json:"interim_transcript_hash_before"`
		Confirmed     hexBytes `json:"confirmed_transcript_hash_after"`
		InterimAfter  hexBytes `json:"interim_transcript_hash_after"`
	}](t, "transcript-hashes.json")
	for i, v := range list {
		s, ok := c.suite(v.Suite)
		if !ok {
			continue
		}
		content := decode(t, v.Content, readAuthenticatedContent)
		confirmed := confirmedTranscript(s, v.InterimBefore, content)
		wantBytes(t, i, "confirmed", confirmed, v.Confirmed)
		wantBytes(t, i, "interim", interimTranscript(s, confirmed, content.auth.confirmationTag), v.InterimAfter)
		if !s.VerifyMAC(v.Key, confirmed, content.auth.confirmationTag) {
			t.Fatalf("vector %d: confirmation tag", i)
		}
		c.passed++
	}
}

func TestVectorsMessages(t *testing.T) {
	list, c := loadVectors[map[string]hexBytes](t, "messages.json")
	type reencode func(b []byte) []byte
	whole := func(f func(*wire.Reader) interface{ marshal(*wire.Writer) }) reencode {
		return func(b []byte) []byte { return encode(decode(t, b, f)) }
	}
	message := func(b []byte) []byte {
		m, err := parseMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		var body interface{ marshal(*wire.Writer) }
		switch m.wireFormat {
		case formatPublic:
			body = m.public
		case formatPrivate:
			body = m.private
		case formatWelcome:
			body = m.welcome
		case formatGroupInfo:
			body = m.groupInfo
		case formatKeyPackage:
			body = m.keyPackage
		}
		return encodeMessage(m.wireFormat, body)
	}
	proposal := func(kind ProposalType) reencode {
		return func(b []byte) []byte {
			p := decode(t, b, func(r *wire.Reader) *Proposal { return readProposalBody(r, kind) })
			var w wire.Writer
			p.marshalBody(&w)
			return w.B
		}
	}
	kinds := map[string]reencode{
		"mls_welcome":                message,
		"mls_group_info":             message,
		"mls_key_package":            message,
		"public_message_application": message,
		"public_message_proposal":    message,
		"public_message_commit":      message,
		"private_message":            message,
		"ratchet_tree": whole(func(r *wire.Reader) interface{ marshal(*wire.Writer) } {
			return readTree(r, must(suite.Get(1)))
		}),
		"group_secrets": whole(func(r *wire.Reader) interface{ marshal(*wire.Writer) } { return readGroupSecrets(r) }),
		"commit":        whole(func(r *wire.Reader) interface{ marshal(*wire.Writer) } { return readCommit(r) }),

		"add_proposal":                      proposal(ProposalAdd),
		"update_proposal":                   proposal(ProposalUpdate),
		"remove_proposal":                   proposal(ProposalRemove),
		"pre_shared_key_proposal":           proposal(ProposalPSK),
		"re_init_proposal":                  proposal(ProposalReInit),
		"external_init_proposal":            proposal(ProposalExternalInit),
		"group_context_extensions_proposal": proposal(ProposalGroupContextExtensions),
	}
	for i, v := range list {
		if len(v) != len(kinds) {
			t.Fatalf("vector %d has %d kinds of message, we know %d", i, len(v), len(kinds))
		}
		for name, b := range v {
			wantBytes(t, i, name, kinds[name](b), b)
		}
		c.passed++
	}
}
