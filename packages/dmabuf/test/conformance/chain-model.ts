/** A link as the rules describe it: the list it is in is its chain, oldest first. */
export interface ModelLink {
  readonly context: number;
  readonly seqno: number;
  readonly previousSeqno: number;
}

/** A fence chain as a plain list: nothing is ever dropped, and every question is answered by the rules. */
export class ChainModel {
  readonly links: ModelLink[] = [];
  /** Which fences have signaled: the plain one before all links, then one for each link. */
  readonly signaled = [false];

  add(point: number): void {
    const last = this.links.at(-1);
    const continues = last !== undefined && point > last.seqno;
    this.links.push({
      context: continues ? last.context : this.links.length,
      seqno: continues ? point : Math.max(point, last?.seqno ?? 0),
      previousSeqno: continues ? last.seqno : 0,
    });
    this.signaled.push(false);
  }

  isSignaled(link: number): boolean {
    return this.signaled.slice(0, link + 2).every(Boolean);
  }

  /** A link and what is pending before it, newest first; -1 is the plain fence. */
  elements(link: number): number[] {
    const before = Array.from({ length: link + 1 }, (_, i) => link - 1 - i);
    return [link, ...before.filter((element) => !this.signaled[element + 1])];
  }

  find(link: number, point: number): number | "EINVAL" | undefined {
    const head = this.links[link]!;
    if (point === 0) return link;
    if (head.seqno < point) return "EINVAL";
    return this.elements(link).find((element) => {
      const found = this.links[element];
      return found?.context !== head.context || found.previousSeqno < point;
    });
  }

  /** The last point of the newest context that is signaled with all before it. */
  query(): number {
    const head = this.links.length - 1;
    const { context } = this.links[head]!;
    const elements = this.elements(head);
    const older = elements.findIndex((element) => this.links[element]?.context !== context);
    const oldest = elements[(older < 0 ? elements.length : older) - 1]!;
    return this.isSignaled(oldest) ? this.links[oldest]!.seqno : this.links[oldest]!.previousSeqno;
  }
}
