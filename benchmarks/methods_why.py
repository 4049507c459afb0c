"""Why ours of the same name is worse somewhere: what was found out, by peer; shown above the figures of the run."""

from __future__ import annotations

_REST = ", one against the rest"

WHY = {
    "probmetrics ts-mix": (
        "Another definition: temp-scaling, which is alike to ours, mixed with a share 1 / (n + 1) of the uniform "
        "distribution. Where it wins, a few labels had a tiny probability: on hpc the three rows that differ most have "
        "labels at 2e-16, 6e-13 and 4e-9. `ensemble_temperature` is ours with a share that the rows choose."
    ),
    "probmetrics guo-ts": (
        "The peer stops early: 50 steps of L-BFGS at the rate 0.01, started at T = 1.5. On the rows of the fit it is "
        "worse, or both are alike; where it wins on the test rows, it wins by not having got there."
    ),
    "probmetrics ETS, mse": (
        "Another loss: the peer minimises the Brier score, ours by default the log loss, where it lies as close or "
        "closer to the rows of the fit. With loss='brier' ours finds temperature and weights together, the peer one "
        "after the other: on mmlu, prompts 2, 5 and 7, our Brier score is lower on the rows of the fit, by 1e-5 to "
        "2e-5, and on the test rows, by 5e-5 to 9e-5, while the NLL is the peer's by up to 4e-4."
    ),
    "probmetrics ETS, ce": (
        "The prior: ours gives each of the three members a tenth of a pseudo-row, so that no label can get a "
        "probability of 0; the peer has none. It costs up to 1e-4 on the rows of the fit, and 5e-4 on test rows of few "
        "rows. Without it (last column) both agree, but for exact zeros, which the peer takes for 1e-38."
    ),
    "probmetrics vector scaling": (
        "The prior: ours holds each class to the temperature map by 20 pseudo-rows, the peer has none. The last "
        "column is ours without it."
    ),
    "probmetrics matrix scaling": (
        "Another definition, without any penalty; ours chooses penalties on rows left out. On probabilities the peer "
        "is Dirichlet calibration without penalty, and so is our spec of it (last column), alike to 1e-6 on hpc. On "
        "logits it also reads the constant of each row, on which the probabilities do not depend and which ours "
        "therefore cannot see."
    ),
    "probmetrics svs": (
        "Not the same features nor the same penalty: ours adds probabilities to the logits and chooses the penalty on "
        "rows left out. With the peer's (last column) ours reaches its optimum to the digits of the peer's float32."
    ),
    "probmetrics sms": (
        "Not the same features nor the same penalty: ours adds probabilities to the logits and chooses the penalty on "
        "rows left out, here a stronger one. With the peer's (last column) ours reaches its optimum to the digits of "
        "the peer's float32."
    ),
    "probmetrics cir": (
        "Lines in p against ours in log-odds, and no smoothing; the last column is ours with lines in p, smoothed."
    ),
    "probmetrics affine-scaling" + _REST: (
        "The prior: ours holds each class to the temperature map by 20 pseudo-rows. The last column is without it."
    ),
    "probmetrics quadratic-scaling" + _REST: (
        "The prior and the ridge, which hold ours near a line and near the temperature map; the last column is ours "
        "without them. Beyond the scores seen in the fit ours goes on as a tangent, the peer's as a parabola."
    ),
    "netcal BetaCalibration": (
        "Another definition: one joint fit of all classes, by the softmax, and p clipped at 2e-16; ours fits each "
        "class against the rest. Our joint fit is `vector`."
    ),
    "netcal LogisticCalibration": (
        "The prior: ours holds each class to the temperature map by 20 pseudo-rows. The peer's p is clipped at 2e-16."
    ),
    "netcal IsotonicRegression": (
        "Steps of plain label means against smoothed lines in log-odds. Compared only where the steps give no label "
        "the probability 0, which is a matter of luck: on most sets they do."
    ),
    "scikit-learn isotonic": (
        "The same as netcal's, which calls it. Compared only where the steps give no label the probability 0."
    ),
    "netcal HistogramBinning": (
        "Another binning: 10 bins of equal width, ours 15 of equal mass, and no smoothing; where probabilities are "
        "spread out and rows few, as on mmlu, fewer bins are better. The last column is ours so set up."
    ),
    "uncertainty-calibration HistogramMarginalCalibrator, 10 bins": (
        "10 bins against our 15, and no smoothing. The last column is ours so set up."
    ),
    "uncertainty-calibration PlattBinnerMarginalCalibrator, 10 bins": (
        "Another function in front, Platt's a class, and bins on the rows that it was fitted to; ours takes one "
        "temperature, and halves, without which the guarantee of Kumar, Liang and Ma does not hold. The last column is "
        "ours with Platt in front and 10 bins, on halves."
    ),
    "scikit-learn temperature": (
        "The peer's clip: it adds 1e-12 to each probability. On the rows of the fit both are alike; the difference on "
        "hpc is that of the three rows whose labels have 2e-16, 6e-13 and 4e-9."
    ),
    "venn-abers one_vs_one": (
        "Another definition, by pairs of classes; ours by default takes each class against the rest, which is better "
        "on most sets. The last column is ours by pairs."
    ),
    "betacal abm" + _REST: (
        "The clip and the prior: the wrapper hands on float32, in which betacal clips at 1.2e-7; on hpc that is the "
        "whole difference, on three rows. Ours holds each class to the temperature map by 20 pseudo-rows; the last "
        "column is without."
    ),
    "splinecalib one against the rest": (
        "Other splines, with a penalty chosen a class and no pull to the temperature map."
    ),
    "dirichletcal without penalty": ("No penalty; without ours (last column) both reach the same optimum."),
    "dirichletcal lambda and mu 1e-3": (
        "Another penalty, the same for all sets; ours is chosen on rows left out, and with few rows may be too strong."
    ),
}
