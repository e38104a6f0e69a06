// What every page loads: htmx, and the few behaviours that it does not bring.
import htmx from "htmx.org";
import { followChanges } from "./live.js";
import { keepToSession } from "./session.js";
import { hideNeedlessButtons } from "./forms.js";
import { keepWhatSwapsTake } from "./swaps.js";
import { tellFailures } from "./failures.js";

hideNeedlessButtons(document);
keepToSession(document);
tellFailures(document);
keepWhatSwapsTake(document);
followChanges(document, htmx);
