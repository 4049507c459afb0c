"""The objectives of local nets: closed forms, an independent slow transcription, and slopes by finite differences."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")  # what needs it is imported below
# ruff: noqa: E402

from calibrant.torch.local_training import objectives
from calibrant.torch.local_training.similarity import Data, SimilarityNet, paper, released

P, Q = [0.7, 0.2, 0.1], [0.5, 0.3, 0.2]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def of_pair(distance, p, q):
    return float(distance(tensor([p]), tensor([q]), tensor([1.0])))


def rooted(divergence):
    """The distance of the paper is rooted above a small constant, so that it is smooth at 0."""
    return math.sqrt(divergence + 1e-6) - 1e-3


def test_the_distance_of_two_distributions():
    def distance(p, q, w):
        return objectives.distance(p.log(), q, w)

    assert of_pair(distance, P, Q) == pytest.approx(rooted(0.14799047**2), abs=1e-8)
    assert of_pair(distance, P, P) == pytest.approx(0.0, abs=1e-12)
    assert of_pair(distance, P, Q) == pytest.approx(of_pair(distance, Q, P), abs=1e-14)
    # Disjoint but for 1e-12, which moves the divergence by some 3e-11.
    apart = of_pair(distance, [1 - 1e-12, 1e-12], [1e-12, 1 - 1e-12])
    assert apart == pytest.approx(rooted(math.log(2)), abs=1e-9)


@pytest.mark.parametrize(("k", "value"), [(3, 0.557961), (10, 0.174388), (100, 0.026439)])
def test_the_released_distance_of_disjoint_classes(k, value):
    one, other = np.eye(k)[0], np.eye(k)[1]
    assert of_pair(objectives.released_distance, one.tolist(), other.tolist()) == pytest.approx(value, abs=1e-6)


def test_the_released_distance_of_two_distributions():
    assert of_pair(objectives.released_distance, P, Q) == pytest.approx(0.10887681, abs=1e-8)
    assert of_pair(objectives.released_distance, P, P) == pytest.approx(0.01, abs=1e-12)


def test_the_released_distance_of_two_classes_is_a_sum_over_class_0():
    p, q = tensor([[0.7, 0.3], [0.4, 0.6]]), tensor([[0.5, 0.5], [0.9, 0.1]])
    by_row = [of_pair(objectives.released_distance, a, b) for a, b in zip(p.tolist(), q.tolist(), strict=True)]
    assert float(objectives.released_distance(p, q, torch.ones(2))) == pytest.approx(sum(by_row), abs=1e-14)


def test_the_root_makes_a_head_seek_the_median_and_the_divergence_of_labels_the_mean():
    """The documented bias of the square root: theta ~ Beta(.3, .9) has mean .25 and median about .11."""
    theta = np.random.default_rng(0).beta(0.3, 0.9, size=20_000)
    grid = np.linspace(0.01, 0.5, 200)
    q = tensor(np.column_stack([theta, 1 - theta]).clip(1e-9, 1 - 1e-9))

    def best(loss):
        return grid[int(np.argmin([loss(tensor([[p, 1 - p]]).expand_as(q)) for p in grid]))]

    ones = torch.ones(len(q), dtype=torch.float64)
    assert best(lambda p: float(objectives.distance(p.log(), q, ones))) == pytest.approx(0.108, abs=0.01)
    assert best(lambda p: float(-(q * p.log()).sum(1).mean())) == pytest.approx(theta.mean(), abs=0.005)


# ---- an independent transcription of the released objective, by loops ------------------------------------------------
def clip(x, low, high):
    return min(max(x, low), high)


def slow_frequencies(z, y, sigma):
    n, k = len(z), len(y[0])
    theta = []
    for i in range(n):
        w = [math.exp(-sum((a - b) ** 2 for a, b in zip(z[i], z[j], strict=True)) / (2 * sigma**2 + 1e-6))
             for j in range(n)]  # fmt: skip
        w[i] = 0.0
        theta.append([clip(sum(w[j] * y[j][c] for j in range(n)) / (sum(w) + 1e-6), 1e-6, 1 - 1e-6) for c in range(k)])
    return theta


def slow_divergence(a, b):
    return a * math.log(a / b) + (1 - a) * math.log((1 - a) / (1 - b))


def slow_loss(net, x, u, logits, y, sigma):
    """Both terms, from the parameters as plain lists, in the order of `SimilarityNet`."""
    w1, b1, ws, bs, wc, bc, a_s, c_s, a_c, c_c = net
    n, k, total = len(x), len(logits[0]), 0.0
    z, p = [], []
    for i in range(n):
        h = [max(sum(x[i][j] * w1[j][m] for j in range(len(x[i]))) + b1[m], 0.0) for m in range(len(b1))]
        slope, shift = a_s * (len(u[i]) if len(a_s) == 1 else 1), c_s * (len(u[i]) if len(c_s) == 1 else 1)
        z.append([sum(h[m] * ws[m][c] for m in range(len(h))) + bs[c] + slope[c] * u[i][c] + shift[c]
                  for c in range(len(u[i]))])  # fmt: skip
        slope, shift = a_c * (k if len(a_c) == 1 else 1), c_c * (k if len(c_c) == 1 else 1)
        head = [sum(h[m] * wc[m][c] for m in range(len(h))) + bc[c] + slope[c] * logits[i][c] + shift[c]
                for c in range(k)]  # fmt: skip
        e = [math.exp(v - max(head)) for v in head]
        p.append([v / sum(e) for v in e])
    theta = slow_frequencies(z, y, sigma)
    for i in range(n):
        for c in range(k):
            a, b = clip(p[i][c], 1e-4, 1 - 1e-4), clip(theta[i][c], 1e-4, 1 - 1e-4)
            m = (a + b) / 2
            d = math.sqrt(max((slow_divergence(a, m) + slow_divergence(b, m)) / 2, 1e-4))
            total += d / (n * k) if k > 2 else d * (c == 0)
    entropy = -sum(y[i][c] * math.log(clip(theta[i][c], 1e-8, 1 - 1e-8)) for i in range(n) for c in range(k)) / n
    return total + entropy


def problem(seed):
    """A net off its start, and a batch: two, three or twelve classes, the last with slopes of their own."""
    rng = np.random.default_rng(seed)
    n, d, h, q, k = 7, 4, 3, 2, (3, 12, 2)[seed % 3]
    net = SimilarityNet.started(d, h, q, k, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for part in net:
            part += 0.3 * tensor(rng.normal(size=part.shape))
    labels = np.eye(k)[rng.integers(k, size=n)]
    columns = rng.normal(size=(n, d)), 2 * rng.normal(size=(n, q)), rng.normal(size=(n, k)), labels, np.ones(n)
    return net, Data(*(tensor(one) for one in columns))


@pytest.mark.parametrize("seed", range(10))
def test_the_released_objective_and_its_slopes_are_those_of_the_transcription(seed):
    sigma = 2.0
    net, data = problem(seed)
    z, logits = net.heads(data.x, data.u, data.log_p)
    found = sum(released(z, logits, data, sigma))
    found.backward()
    plain = [part.detach().tolist() for part in net]
    rows = [one.tolist() for one in (data.x, data.u, data.log_p, data.labels)]

    def slow():
        return slow_loss(plain, *rows, sigma)

    assert float(found.detach()) == pytest.approx(slow(), abs=1e-6)
    for part, values in zip(net, plain, strict=True):
        for at in np.ndindex(*part.shape):
            row = values if len(at) == 1 else values[at[0]]
            kept, step = row[at[-1]], 1e-6
            row[at[-1]] = kept + step
            ahead = slow()
            row[at[-1]] = kept - step
            behind = slow()
            row[at[-1]] = kept
            # Central differences of step 1e-6 are exact to some 1e-9 here.
            assert float(part.grad[at]) == pytest.approx((ahead - behind) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("terms", [released, paper])
def test_slopes_are_those_of_finite_differences(terms):
    net, data = problem(0)

    def loss(z, logits):
        return sum(terms(z, logits, data, 1.5))

    heads = [one.detach().requires_grad_() for one in net.heads(data.x, data.u, data.log_p)]
    assert torch.autograd.gradcheck(loss, heads, eps=1e-6, atol=1e-6)


def test_the_slope_is_zero_and_known_where_prediction_and_frequencies_agree():
    theta, ones = tensor([P, Q]), tensor([1.0, 1.0])
    log_p = theta.log().requires_grad_()
    objectives.distance(log_p, theta, ones).backward()
    assert torch.allclose(log_p.grad, torch.zeros_like(log_p), atol=1e-9)


@pytest.mark.parametrize("terms", [released, paper])
@pytest.mark.parametrize("rows", [1, 2, 6])
def test_finite_for_saturated_logits_duplicates_and_absent_classes(terms, rows):
    logits = tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [1e4, 1e4, -1e4]] * 2)[:rows].requires_grad_()
    z = tensor([[0.0, 0.0], [0.0, 0.0], [1e5, 0.0], [1e5, 0.0], [0.0, 1e-9], [3.0, 0.0]])[:rows].requires_grad_()
    labels = torch.eye(3, dtype=torch.float64)[[0, 1, 0, 0, 1, 0]][:rows]
    some = torch.zeros(rows, 1, dtype=torch.float64)
    loss = sum(terms(z, logits, Data(some, some, logits, labels, torch.ones(rows)), 0.5))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(one.grad is None or torch.isfinite(one.grad).all() for one in (z, logits))


def test_frequencies_leave_the_row_out():
    labels = torch.eye(2, dtype=torch.float64)
    theta = objectives.frequencies(torch.zeros(2, 3, dtype=torch.float64), labels, tensor([1.0, 1.0]), 1.0)
    share = objectives.UNIFORM / 2
    assert torch.allclose(theta, tensor([[share, 1 - share], [1 - share, share]]), atol=1e-12)


def test_frequencies_far_from_all_rows_are_those_of_the_nearest():
    z = tensor([[0.0], [1.0], [1e3]])
    theta = objectives.frequencies(z, torch.eye(3, dtype=torch.float64), torch.ones(3), 0.1)
    assert torch.allclose(theta.sum(1), torch.ones(3, dtype=torch.float64), atol=1e-12)
    assert int(theta[2].argmax()) == 1


@pytest.mark.parametrize("terms", [released, paper])
def test_without_agreement_only_the_kernel_estimate_learns(terms):
    """With weight 0 the loss is the leave-one-out log loss of kernel frequencies; the predicting head does not move."""
    net, data = problem(0)
    z, logits = net.heads(data.x, data.u, data.log_p)
    _, loss = terms(z, logits, data, 2.0)
    loss.backward()
    squares = np.square(z.detach().numpy()[:, None] - z.detach().numpy()).sum(2)
    kernel = np.exp(-squares / 8) * (1 - np.eye(len(z)))
    theta = kernel @ data.labels.numpy() / kernel.sum(1, keepdims=True)
    wanted = -np.log((theta * data.labels.numpy()).sum(1).clip(objectives.UNIFORM / 3)).mean()
    # The share of the uniform distribution, 1e-3, and the released 1e-6 in the sum move a log by no more than that.
    assert float(loss.detach()) == pytest.approx(wanted, abs=2e-2)
    assert all(part.grad is None or not part.grad.any() for part in (net.predict, net.slope, net.intercept))
