// ts-mls as a peer driven over stdio: one JSON request a line, one JSON reply a
// line. It is one member of one group. Bytes are hex; MLS messages are whole
// MLSMessage encodings. A refused request answers {"error": "..."} and leaves
// the member's state as it was.
import { createInterface } from 'node:readline';
import {
  acceptAll,
  createApplicationMessage,
  createCommit,
  createGroup,
  createGroupInfoWithExternalPub,
  createGroupInfoWithExternalPubAndRatchetTree,
  createProposal,
  decodeMlsMessage,
  defaultCapabilities,
  encodeMlsMessage,
  generateKeyPackage,
  joinGroup,
  joinGroupExternal,
  makePskIndex,
  mlsExporter,
  processMessage,
} from 'ts-mls';
import { suite } from './suites.mjs';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const unhex = (value) => new Uint8Array(Buffer.from(value ?? '', 'hex'));
const base64 = (bytes) => Buffer.from(bytes).toString('base64');

let cs;
let keyPackage;
let state;
const psks = {};

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

function proposal(from) {
  switch (from.type) {
    case 'add':
      return { proposalType: 'add', add: { keyPackage: decode(from.keyPackage, 'mls_key_package').keyPackage } };
    case 'remove':
      return { proposalType: 'remove', remove: { removed: from.leaf } };
    case 'psk':
      return {
        proposalType: 'psk',
        psk: { preSharedKeyId: { psktype: 'external', pskId: unhex(from.id), pskNonce: unhex(from.nonce) } },
      };
    case 'group_context_extensions':
      return {
        proposalType: 'group_context_extensions',
        groupContextExtensions: {
          extensions: from.extensions.map((one) => ({ extensionType: one.type, extensionData: unhex(one.data) })),
        },
      };
    default:
      throw new Error(`no such proposal here: ${from.type}`);
  }
}

const operations = {
  async init({ suite: code, identity, notBefore, notAfter, extensions = [] }) {
    const chosen = await suite(code);
    cs = chosen.impl;
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

  async create({ groupId, extensions = [] }) {
    const list = extensions.map((one) => ({ extensionType: one.type, extensionData: unhex(one.data) }));
    state = await createGroup(unhex(groupId), keyPackage.publicPackage, keyPackage.privatePackage, list, cs);
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
    state = result.newState;
    return {
      commit: hex(encodeMlsMessage(result.commit)),
      welcome: result.welcome ? message({ wireformat: 'mls_welcome', welcome: result.welcome }) : '',
    };
  },

  async propose({ proposal: from, publicMessage = false }) {
    const result = await createProposal(state, publicMessage, proposal(from), cs);
    state = result.newState;
    return { message: hex(encodeMlsMessage(result.message)) };
  },

  async join({ welcome }) {
    const { welcome: decoded } = decode(welcome, 'mls_welcome');
    state = await joinGroup(decoded, keyPackage.publicPackage, keyPackage.privatePackage, index(), cs);
    return {};
  },

  async groupInfo({ tree = true }) {
    const make = tree ? createGroupInfoWithExternalPubAndRatchetTree : createGroupInfoWithExternalPub;
    return { groupInfo: message({ wireformat: 'mls_group_info', groupInfo: await make(state, [], cs) }) };
  },

  async externalJoin({ groupInfo, resync = false }) {
    const { groupInfo: decoded } = decode(groupInfo, 'mls_group_info');
    const result = await joinGroupExternal(decoded, keyPackage.publicPackage, keyPackage.privatePackage, resync, cs);
    state = result.newState;
    return { commit: message({ wireformat: 'mls_public_message', publicMessage: result.publicMessage }) };
  },

  async process({ message: bytes }) {
    const decoded = decode(bytes, 'mls_public_message', 'mls_private_message');
    const result = await processMessage(decoded, state, index(), acceptAll, cs);
    state = result.newState;
    return result.kind === 'applicationMessage' ? { plaintext: hex(result.message) } : {};
  },

  async send({ plaintext }) {
    const result = await createApplicationMessage(state, unhex(plaintext), cs);
    state = result.newState;
    return { message: message({ wireformat: 'mls_private_message', privateMessage: result.privateMessage }) };
  },

  /** What every member must agree on in an epoch. */
  async state({ label = 'SFrame 1.0 Base Key' }) {
    const exporter = await mlsExporter(state.keySchedule.exporterSecret, label, new Uint8Array(), 32, cs);
    return {
      epoch: Number(state.groupContext.epoch),
      exporter: hex(exporter),
      epochAuthenticator: hex(state.keySchedule.epochAuthenticator),
      treeHash: hex(state.groupContext.treeHash),
      confirmedTranscriptHash: hex(state.groupContext.confirmedTranscriptHash),
      leaf: state.privatePath.leafIndex,
      leaves: state.ratchetTree.filter((node) => node?.nodeType === 'leaf').length,
      active: state.groupActiveState.kind === 'active',
    };
  },
};

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  let reply;
  const kept = state;
  try {
    const request = JSON.parse(line);
    const operation = operations[request.op];
    if (!operation) throw new Error(`no such operation: ${request.op}`);
    reply = await operation(request);
  } catch (error) {
    state = kept;
    reply = { error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
