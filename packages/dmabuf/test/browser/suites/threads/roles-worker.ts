/** Joins the domain and plays the role that its first message tells. */
import { Domain, type Invitation } from "../../../../src/index.js";
import { roles } from "../roles.js";

interface WorkerRealm {
  onmessage: ((event: { data: unknown }) => void) | null;
}

const realm = globalThis as unknown as WorkerRealm;
const plays = roles as unknown as Record<string, (domain: Domain, details: unknown) => Promise<void>>;

realm.onmessage = ({ data }) => {
  realm.onmessage = null;
  const { invitation, role, details } = data as { invitation: Invitation; role: string; details: unknown };
  const domain = Domain.join(invitation);
  // Before that, no agent would notice its end.
  void domain.ready.then(() => plays[role]!(domain, details));
};
