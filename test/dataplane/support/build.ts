// The compiled program, for mocha runs that did not go through `npm test`. Imported before anything of dataplane/.
import { execFileSync } from "node:child_process";
import { join } from "node:path";

execFileSync("bash", [join(import.meta.dirname, "../../../dataplane/bpf/build.sh")], { stdio: "inherit" });
