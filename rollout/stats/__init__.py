"""Anytime-valid statistics for comparing two versions under live traffic: read as often as you like.

Pure Python on the standard library. `twosample` is the kernel for rates, `oddsratio` the one for high rates,
`onesample` the one against a fixed bound, `means` the one for means of sums; `mixture` makes increments an e-process;
`difference` gives the interval of a difference; `dispersion` measures clustering; `share` watches the split and
`responses` who answers; `combine` joins KPIs; `planning` says how much traffic it takes.
"""

from rollout.stats.combine import Weighted, average, culprits
from rollout.stats.difference import Difference
from rollout.stats.dispersion import Dispersion, from_history
from rollout.stats.means import MEANS_HARM, MEANS_PROOF, Batches
from rollout.stats.mixture import HARM, ODDS_HARM, ODDS_PROOF, PROOF, Grid, Wealth, rate_evidence, start
from rollout.stats.oddsratio import odds_evidence
from rollout.stats.onesample import bound_evidence, scale_odds, upper_bound
from rollout.stats.planning import promotion_requests
from rollout.stats.responses import Responses
from rollout.stats.share import Reached, SampleRatio
from rollout.stats.twosample import Increment, RateMargin, log_e

__all__ = [
    "HARM",
    "MEANS_HARM",
    "MEANS_PROOF",
    "ODDS_HARM",
    "ODDS_PROOF",
    "PROOF",
    "Batches",
    "Difference",
    "Dispersion",
    "Grid",
    "Increment",
    "RateMargin",
    "Reached",
    "Responses",
    "SampleRatio",
    "Wealth",
    "Weighted",
    "average",
    "bound_evidence",
    "culprits",
    "from_history",
    "log_e",
    "odds_evidence",
    "promotion_requests",
    "rate_evidence",
    "scale_odds",
    "start",
    "upper_bound",
]
