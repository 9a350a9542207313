/**
 * Check-ins that a kiosk keeps while the service does not answer: sealed by a key that no script can read out, for a day
 * at most, and wiped once they are delivered. The key goes with the last of them.
 */
export interface Kept {
  photo: Blob;
  /** When it was taken, in milliseconds since 1970. */
  at: number;
  /** The kiosk's name. */
  place: string;
  /** So that it counts once, however often it is sent. */
  idempotencyKey: string;
}

interface Sealed {
  at: number;
  nonce: Uint8Array<ArrayBuffer>;
  sealed: ArrayBuffer;
}

export const KEPT_MS = 24 * 3_600_000;
const MOST = 500; // some 100 MB of photos
const KEY = "key";

/** The device holds as many as it may. */
export class NoRoom extends Error {}

/** Keep one; those of more than a day ago go. */
export function keep(one: Kept): Promise<void> {
  return alone(async (store) => {
    await forgetOld(store);
    if ((await store.keys()).length >= MOST) throw new NoRoom("too many are kept");
    const head = new TextEncoder().encode(JSON.stringify({ place: one.place, idempotencyKey: one.idempotencyKey }));
    const plain = new Blob([new Uint32Array([head.length]), head, one.photo]);
    const nonce = crypto.getRandomValues(new Uint8Array(12));
    const sealed = await crypto.subtle.encrypt(sealing(nonce, one.at), await store.sealer(), await plain.arrayBuffer());
    await store.add({ at: one.at, nonce, sealed });
  });
}

/** How many wait. */
export const countKept = (): Promise<number> => alone(async (store) => (await forgetOld(store), (await store.keys()).length));

/** Hand each to `send`, oldest first, and wipe it once `send` is done with it; ends at the first that `send` throws at. */
export async function deliver(send: (one: Kept) => Promise<void>): Promise<void> {
  await navigator.locks.request("cv-deliver", async () => {
    for (;;) {
      const next = await alone(async (store) => (await forgetOld(store), first(store)));
      if (!next) return;
      if (next.kept) await send(next.kept);
      await alone((store) => wipe(store, next.id));
    }
  });
}

/** The oldest; without `kept` it cannot be opened any more. */
async function first(store: Store): Promise<{ id: IDBValidKey; kept?: Kept } | null> {
  const [id] = await store.keys();
  if (id === undefined) return null;
  const { at, nonce, sealed } = await store.get(id);
  try {
    const plain = await crypto.subtle.decrypt(sealing(nonce, at), await store.sealer(), sealed);
    const length = new Uint32Array(plain.slice(0, 4))[0]!;
    const head = JSON.parse(new TextDecoder().decode(plain.slice(4, 4 + length))) as Pick<Kept, "place" | "idempotencyKey">;
    return { id, kept: { ...head, at, photo: new Blob([plain.slice(4 + length)], { type: "image/jpeg" }) } };
  } catch {
    return { id };
  }
}

async function forgetOld(store: Store): Promise<void> {
  const now = Date.now();
  for (const id of await store.keys()) {
    const { at } = await store.get(id);
    if (at <= now - KEPT_MS) await wipe(store, id);
  }
}

async function wipe(store: Store, id: IDBValidKey): Promise<void> {
  await store.remove(id);
  if ((await store.keys()).length === 0) await store.forgetSealer();
}

function sealing(nonce: Uint8Array<ArrayBuffer>, at: number): AesGcmParams {
  return { name: "AES-GCM", iv: nonce, additionalData: new TextEncoder().encode(String(at)) };
}

/** IndexedDB, as far as it is needed here. */
class Store {
  constructor(private readonly database: IDBDatabase) {}

  private of(name: "kept" | "keys", mode: IDBTransactionMode = "readonly"): IDBObjectStore {
    return this.database.transaction(name, mode).objectStore(name);
  }

  keys = (): Promise<IDBValidKey[]> => done(this.of("kept").getAllKeys());
  get = (id: IDBValidKey): Promise<Sealed> => done(this.of("kept").get(id));
  add = (one: Sealed): Promise<IDBValidKey> => done(this.of("kept", "readwrite").add(one));
  remove = (id: IDBValidKey): Promise<undefined> => done(this.of("kept", "readwrite").delete(id));
  forgetSealer = (): Promise<undefined> => done(this.of("keys", "readwrite").delete(KEY));

  async sealer(): Promise<CryptoKey> {
    const known: CryptoKey | undefined = await done(this.of("keys").get(KEY));
    if (known) return known;
    const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    await done(this.of("keys", "readwrite").put(made, KEY));
    return made;
  }
}

/** Work on the store, one page and one piece of work at a time. */
async function alone<Result>(work: (store: Store) => Promise<Result>): Promise<Result> {
  return navigator.locks.request("cv-kept", async () => {
    const asked = indexedDB.open("cv-kiosk", 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("kept", { autoIncrement: true });
      asked.result.createObjectStore("keys");
    };
    const database = await done(asked);
    try {
      return await work(new Store(database));
    } finally {
      database.close();
    }
  }) as Promise<Result>;
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
