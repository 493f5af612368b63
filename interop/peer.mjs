// ts-mls as a peer driven over stdio: one JSON request a line, one JSON reply a
// line. It is one member of one group at a time; `init` makes it another one.
// Bytes are hex; MLS messages are whole MLSMessage encodings. A refused request
// answers {"error": "..."} and leaves the member's state as it was. Commits of
// its own stay pending until `merge` or `discard`.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import {
  createApplicationMessage,
  createCommit,
  createGroup,
  createProposal,
  decodeExternalSender,
  decodeMlsMessage,
  defaultCapabilities,
  encodeGroupState,
  encodeMlsMessage,
  generateKeyPackage,
  joinGroup,
  joinGroupExternal,
  makePskIndex,
  mlsExporter,
  processPrivateMessage,
  processPublicMessage,
} from 'ts-mls';
import { getOwnLeafNode } from 'ts-mls/clientState.js';
import { createGroupInfo } from 'ts-mls/createCommit.js';
import { signLeafNodeCommit } from 'ts-mls/leafNode.js';
import { decodeRatchetTree, encodeRatchetTree } from 'ts-mls/ratchetTree.js';
import { decodeVarLenData, varLenDataEncoder } from 'ts-mls/codec/variableLength.js';
import { encode } from 'ts-mls/codec/tlsEncoder.js';
import { suite } from './suites.mjs';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const unhex = (value) => new Uint8Array(Buffer.from(value ?? '', 'hex'));
const base64 = (bytes) => Buffer.from(bytes).toString('base64');

let cs;
let keyPackage;
let state;
/** The state that a commit of our own leads to, once it is accepted. */
let pending;
/** The private key of the leaf that our Update proposal offers. */
let updateKey;
let psks = {};

const index = () => makePskIndex(state, psks);
const message = (content) => hex(encodeMlsMessage({ version: 'mls10', ...content }));

function decode(value, ...formats) {
  const bytes = unhex(value);
  const decoded = decodeMlsMessage(bytes, 0);
  if (!decoded) throw new Error('not an MLSMessage');
  if (decoded[1] !== bytes.length) throw new Error('bytes after the MLSMessage');
  if (!formats.includes(decoded[0].wireformat)) throw new Error(`unexpected ${decoded[0].wireformat}`);
  return decoded[0];
}

function tree(value) {
  return value ? decodeRatchetTree(unhex(value), 0)?.[0] : undefined;
}

// ts-mls calls the extensions it knows by name.
const extensionNames = { 3: 'required_capabilities', 5: 'external_senders' };
const extensions = (list = []) =>
  list.map((one) => ({ extensionType: extensionNames[one.type] ?? one.type, extensionData: unhex(one.data) }));

// external_senders is a vector of senders (RFC 9420 §12.1.8.1). ts-mls takes the
// extension for one sender, and the sender's index for the extension's. What an
// external sender signs does not cover the context, so while we process its
// message the context may hold an extension for each.
function splitSenders(list) {
  return list.flatMap((one) => {
    if (one.extensionType !== 'external_senders') return [one];
    const [bytes] = decodeVarLenData(one.extensionData, 0);
    const senders = [];
    for (let at = 0; at < bytes.length; ) {
      const [, end] = decodeExternalSender(bytes, at);
      senders.push({ extensionType: 'external_senders', extensionData: bytes.slice(at, at + end) });
      at += end;
    }
    return senders;
  });
}

function proposal(from) {
  switch (from.type) {
    case 'add':
      return { proposalType: 'add', add: { keyPackage: decode(from.keyPackage, 'mls_key_package').keyPackage } };
    case 'remove':
      return { proposalType: 'remove', remove: { removed: from.leaf } };
    case 'psk': {
      const preSharedKeyId = { psktype: 'external', pskId: unhex(from.id), pskNonce: unhex(from.nonce) };
      return { proposalType: 'psk', psk: { preSharedKeyId } };
    }
    case 'resumption': {
      const preSharedKeyId = {
        psktype: 'resumption',
        usage: 'application',
        pskGroupId: state.groupContext.groupId,
        pskEpoch: BigInt(from.epoch),
        pskNonce: unhex(from.nonce),
      };
      return { proposalType: 'psk', psk: { preSharedKeyId } };
    }
    case 'extensions':
      return { proposalType: 'group_context_extensions', groupContextExtensions: { extensions: extensions(from.extensions) } };
    default:
      throw new Error(`no such proposal here: ${from.type}`);
  }
}

// ts-mls frames, commits and processes Update proposals but has no call that
// makes one: this puts a leaf with a new key together from its parts.
async function update() {
  const pair = await cs.hpke.generateKeyPair();
  updateKey = await cs.hpke.exportPrivateKey(pair.privateKey);
  const { signaturePublicKey, extensions, credential, capabilities } = getOwnLeafNode(state);
  const leaf = {
    leafNodeSource: 'update',
    hpkePublicKey: await cs.hpke.exportPublicKey(pair.publicKey),
    signaturePublicKey,
    extensions,
    credential,
    capabilities,
    groupId: state.groupContext.groupId,
    leafIndex: state.privatePath.leafIndex,
  };
  const leafNode = await signLeafNodeCommit(leaf, state.signaturePrivateKey, cs.signature);
  return { proposalType: 'update', update: { leafNode } };
}

const operations = {
  async init({ suite: code, identity, notBefore, notAfter, extensions = [] }) {
    const chosen = await suite(code);
    cs = chosen.impl;
    state = pending = updateKey = undefined;
    psks = {};
    const capabilities = {
      ...defaultCapabilities(),
      ciphersuites: [chosen.name],
      credentials: ['basic'],
      extensions,
    };
    keyPackage = await generateKeyPackage(
      { credentialType: 'basic', identity: unhex(identity) },
      capabilities,
      { notBefore: BigInt(notBefore), notAfter: BigInt(notAfter) },
      [],
      cs,
    );
    return { keyPackage: message({ wireformat: 'mls_key_package', keyPackage: keyPackage.publicPackage }) };
  },

  async create({ groupId, extensions: list }) {
    const { publicPackage, privatePackage } = keyPackage;
    state = await createGroup(unhex(groupId), publicPackage, privatePackage, extensions(list), cs);
    return {};
  },

  async psk({ id, secret }) {
    psks[base64(unhex(id))] = unhex(secret);
    return {};
  },

  async commit({ proposals = [], publicMessage = false, treeInWelcome = true }) {
    const result = await createCommit(
      { state, cipherSuite: cs, pskIndex: index() },
      {
        extraProposals: proposals.map(proposal),
        wireAsPublicMessage: publicMessage,
        ratchetTreeExtension: treeInWelcome,
      },
    );
    pending = result.newState;
    return {
      message: hex(encodeMlsMessage(result.commit)),
      welcome: result.welcome ? message({ wireformat: 'mls_welcome', welcome: result.welcome }) : '',
    };
  },

  async merge() {
    if (!pending) throw new Error('no commit is pending');
    state = pending;
    pending = updateKey = undefined;
    return {};
  },

  async discard() {
    pending = undefined;
    return {};
  },

  async propose({ proposal: from, publicMessage = false }) {
    const offered = from.type === 'update' ? await update() : proposal(from);
    const result = await createProposal(state, publicMessage, offered, cs);
    state = result.newState;
    return { message: hex(encodeMlsMessage(result.message)) };
  },

  async join({ welcome, ratchetTree }) {
    const { welcome: decoded } = decode(welcome, 'mls_welcome');
    const { publicPackage, privatePackage } = keyPackage;
    state = await joinGroup(decoded, publicPackage, privatePackage, index(), cs, tree(ratchetTree));
    return {};
  },

  // ExternalPub holds an HPKEPublicKey, which has a length of its own (RFC 9420
  // §12.4.3.2). ts-mls writes and reads the bare key, so here and in
  // externalJoin the length is put in and taken off.
  async groupInfo({ withTree = true }) {
    const pair = await cs.hpke.deriveKeyPair(state.keySchedule.externalSecret);
    const key = encode(varLenDataEncoder)(await cs.hpke.exportPublicKey(pair.publicKey));
    const list = [{ extensionType: 'external_pub', extensionData: key }];
    if (withTree) list.push({ extensionType: 'ratchet_tree', extensionData: encodeRatchetTree(state.ratchetTree) });
    const groupInfo = await createGroupInfo(state.groupContext, state.confirmationTag, state, list, cs);
    return { message: message({ wireformat: 'mls_group_info', groupInfo }) };
  },

  async tree() {
    return { tree: hex(encodeRatchetTree(state.ratchetTree)) };
  },

  async externalJoin({ groupInfo, ratchetTree, resync = false }) {
    const { groupInfo: decoded } = decode(groupInfo, 'mls_group_info');
    const { publicPackage, privatePackage } = keyPackage;
    const offered = decoded.extensions.find((one) => one.extensionType === 'external_pub')?.extensionData;
    const importPublicKey = (key) =>
      cs.hpke.importPublicKey(key === offered ? decodeVarLenData(key, 0)[0] : key);
    const joining = { ...cs, hpke: { ...cs.hpke, importPublicKey } };
    const result = await joinGroupExternal(decoded, publicPackage, privatePackage, resync, joining, tree(ratchetTree));
    pending = result.newState;
    return { message: message({ wireformat: 'mls_public_message', publicMessage: result.publicMessage }) };
  },

  async process({ message: bytes }) {
    const decoded = decode(bytes, 'mls_public_message', 'mls_private_message');
    const { leafIndex, privateKeys } = state.privatePath;
    const private_ = { leafIndex, privateKeys: { ...privateKeys } };
    let kind = 'application';
    const look = (incoming) => {
      kind = incoming.kind;
      if (kind === 'commit' && updateKey) {
        const ours = (one) => one.proposal.proposalType === 'update' && one.senderLeafIndex === leafIndex;
        if (incoming.proposals.some(ours)) private_.privateKeys[2 * leafIndex] = updateKey;
      }
      return 'accept';
    };
    // Not processMessage: it forgets the PSKs when a commit is a PrivateMessage.
    const [process, content] =
      decoded.wireformat === 'mls_public_message'
        ? [processPublicMessage, decoded.publicMessage]
        : [processPrivateMessage, decoded.privateMessage];
    const { groupContext } = state;
    const external = content.content?.sender.senderType === 'external';
    const seen = external ? { ...groupContext, extensions: splitSenders(groupContext.extensions) } : groupContext;
    const before = { ...state, privatePath: private_, groupContext: seen };
    const { newState, message: plaintext } = await process(before, content, index(), cs, look);
    state = external ? { ...newState, groupContext } : newState;
    if (kind === 'commit') pending = updateKey = undefined;
    return { kind, plaintext: kind === 'application' ? hex(plaintext) : '' };
  },

  async send({ plaintext }) {
    const result = await createApplicationMessage(state, unhex(plaintext), cs);
    state = result.newState;
    return { message: message({ wireformat: 'mls_private_message', privateMessage: result.privateMessage }) };
  },

  /** What every member must agree on in an epoch, and a hash of all we know. */
  async state({ label = 'SFrame 1.0 Base Key' }) {
    const exporter = await mlsExporter(state.keySchedule.exporterSecret, label, new Uint8Array(), 32, cs);
    return {
      epoch: Number(state.groupContext.epoch),
      exporter: hex(exporter),
      epochAuthenticator: hex(state.keySchedule.epochAuthenticator),
      treeHash: hex(state.groupContext.treeHash),
      confirmedTranscriptHash: hex(state.groupContext.confirmedTranscriptHash),
      extensions: state.groupContext.extensions.map((one) => hex(one.extensionData)).join(' '),
      members: state.ratchetTree.filter((node) => node?.nodeType === 'leaf').length,
      leaf: state.privatePath.leafIndex,
      removed: state.groupActiveState.kind === 'removedFromGroup',
      fingerprint: createHash('sha256').update(encodeGroupState(state)).digest('hex'),
    };
  },
};

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  let reply;
  const kept = [state, pending, updateKey];
  try {
    const request = JSON.parse(line);
    const operation = operations[request.op];
    if (!operation) throw new Error(`no such operation: ${request.op}`);
    reply = await operation(request);
  } catch (error) {
    [state, pending, updateKey] = kept;
    reply = { error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
