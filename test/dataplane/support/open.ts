// Opens a dataplane at the directory named on the command line and prints what came of it. Run by tests with fewer rights than they have.
import { Dataplane } from "../../../dataplane/dataplane.ts";
import { DataplaneError } from "../../../dataplane/errors.ts";
import { silentLog } from "./lab.ts";

try {
  Dataplane.open({ pinDir: process.argv[2] ?? "", log: silentLog }).close();
  console.log(JSON.stringify({ code: "opened" }));
} catch (error) {
  if (!(error instanceof DataplaneError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
