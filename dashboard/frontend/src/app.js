// What every page loads: htmx, and the few behaviours that it does not bring.
import htmx from "htmx.org";
import { followChanges } from "./live.js";
import { keepToSession } from "./session.js";
import { submitOnChange } from "./forms.js";
import { tellFailures } from "./failures.js";

submitOnChange(document);
keepToSession(document);
tellFailures(document);
followChanges(document, htmx);
