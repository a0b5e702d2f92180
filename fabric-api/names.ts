// References by name across namespaces. Fabrics keep gateways and groups in one namespace and peerings in another, so a name
// is looked up in the referring object's namespace, then in `default`, then anywhere, if exactly one namespace holds it.

export const DEFAULT_NAMESPACE = "default";

export type Resolution<T> =
  | { readonly found: T }
  | { readonly missing: true }
  /** Namespaces that hold the name, none of which takes precedence. */
  | { readonly ambiguous: readonly string[] };

export class NameTable<T> {
  readonly #byName = new Map<string, Map<string, T>>();

  add(namespace: string, name: string, value: T): void {
    const holders = this.#byName.get(name);
    if (holders === undefined) this.#byName.set(name, new Map([[namespace, value]]));
    else holders.set(namespace, value);
  }

  resolve(name: string, fromNamespace: string): Resolution<T> {
    const holders = this.#byName.get(name);
    if (holders === undefined) return { missing: true };
    const near = holders.get(fromNamespace) ?? holders.get(DEFAULT_NAMESPACE);
    if (near !== undefined) return { found: near };
    const [only, ...more] = holders.values();
    if (only !== undefined && more.length === 0) return { found: only };
    return { ambiguous: [...holders.keys()] };
  }

  /** The name by which the fabric knows an object: plain while that is clear, else "namespace/name". */
  fabricName(namespace: string, name: string): string {
    const alone = this.#byName.get(name)?.size === 1;
    return alone || namespace === DEFAULT_NAMESPACE ? name : `${namespace}/${name}`;
  }

  names(): string[] {
    return [...this.#byName.keys()];
  }
}
