"""The models of client/models as PyTorch users write them: nn.Linear, nn.Conv2d, nn.LSTM, scaled_dot_product_attention.

`load` of a twin takes the tensors of the same model of ours, by their names there. Ours are channels-last: a filter
[height, width, in, out] becomes [out, in, height, width], a dense kernel [in, out] becomes [out, in].
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


def copy_dense(layer, kernel, bias):
    layer.weight.copy_(kernel.T)
    layer.bias.copy_(bias)


def copy_norm(layer, ours, name):
    layer.weight.copy_(ours[f"{name}/gain"])
    layer.bias.copy_(ours[f"{name}/offset"])


class Mlp(nn.Module):
    def __init__(self, inputs, hidden, classes):
        super().__init__()
        widths = [inputs, *hidden, classes]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def loss(self, samples, labels):
        signal = samples
        for layer in self.layers[:-1]:
            signal = F.relu(layer(signal))
        return F.cross_entropy(self.layers[-1](signal), labels)

    def load(self, ours):
        for i, layer in enumerate(self.layers):
            name = "output" if i == len(self.layers) - 1 else f"hidden{i + 1}"
            copy_dense(layer, ours[f"{name}/kernel"], ours[f"{name}/bias"])


class Cnn(nn.Module):
    """Convolutions of 5 x 5, each with a ReLU and a pool of 2 x 2, then dense layers. 28 x 28 x 1."""

    def __init__(self, filters, paddings, dense, classes):
        super().__init__()
        channels = [1, *filters]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 5, padding=padding) for a, b, padding in zip(channels, filters, paddings)
        )
        side = 28
        for padding in paddings:
            side = (side + 2 * padding - 4) // 2
        self.side = side
        widths = [side * side * filters[-1], *dense, classes]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def loss(self, samples, labels):
        signal = samples.view(-1, 1, 28, 28)
        for convolution in self.convolutions:
            signal = F.max_pool2d(F.relu(convolution(signal)), 2)
        signal = signal.flatten(1)
        for layer in self.layers[:-1]:
            signal = F.relu(layer(signal))
        return F.cross_entropy(self.layers[-1](signal), labels)

    def load(self, ours):
        for i, convolution in enumerate(self.convolutions):
            convolution.weight.copy_(ours[f"conv{i + 1}/kernel"].permute(3, 2, 0, 1))
            convolution.bias.copy_(ours[f"conv{i + 1}/bias"])
        for i, layer in enumerate(self.layers):
            name = "output" if i == len(self.layers) - 1 else f"dense{i + 1}"
            kernel = ours[f"{name}/kernel"]
            if i == 0:  # its inputs are the image's, channels last there and first here
                kernel = kernel.view(self.side, self.side, -1, kernel.shape[1]).permute(2, 0, 1, 3).flatten(0, 2)
            copy_dense(layer, kernel, ours[f"{name}/bias"])


class CharLstm(nn.Module):
    def __init__(self, vocabulary, width, hidden):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.output = nn.Linear(hidden, vocabulary)
        # Ours has one bias for the gates, as Keras has; a second one, trained along, would move twice as fast.
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)

    def loss(self, tokens, targets):
        states, _ = self.lstm(self.embedding(tokens))
        return F.cross_entropy(self.output(states).flatten(0, 1), targets.flatten())

    def load(self, ours):
        self.embedding.weight.copy_(ours["embedding/table"])
        self.lstm.weight_ih_l0.copy_(ours["lstm1/kernel"].T)
        self.lstm.weight_hh_l0.copy_(ours["lstm1/recurrent"].T)
        self.lstm.bias_ih_l0.copy_(ours["lstm1/bias"])
        copy_dense(self.output, ours["output/kernel"], ours["output/bias"])


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, e = x.shape
        q, k, v = (
            part.view(b, t, self.heads, e // self.heads).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(e, dim=2)
        )
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.projection(attended.transpose(1, 2).reshape(b, t, e))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))

    def load(self, ours, block):
        for name, norm in (("norm1", self.norm1), ("norm2", self.norm2)):
            copy_norm(norm, ours, f"{block}/{name}")
        for name, layer in (
            ("attention", self.qkv),
            ("projection", self.projection),
            ("expand", self.up),
            ("contract", self.down),
        ):
            copy_dense(layer, ours[f"{block}/{name}/kernel"], ours[f"{block}/{name}/bias"])


class Transformer(nn.Module):
    def __init__(self, vocabulary, context, width, layers, heads):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def loss(self, tokens, targets):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def load(self, ours):
        self.tokens.weight.copy_(ours["embedding/table"])
        self.positions.weight.copy_(ours["embedding/position"])
        copy_norm(self.norm, ours, "norm")
        for i, block in enumerate(self.blocks):
            block.load(ours, f"block{i + 1}")


class Vae(nn.Module):
    def __init__(self, inputs, classes, hidden, latent):
        super().__init__()
        self.classes = classes
        self.encoder = nn.Linear(inputs + classes, hidden)
        self.mean = nn.Linear(hidden, latent)
        self.log_variance = nn.Linear(hidden, latent)
        self.decoder = nn.Linear(latent + classes, hidden)
        self.output = nn.Linear(hidden, inputs)

    def loss(self, samples, labels, noise=None):
        classes = math.sqrt(samples.shape[1] / 10) * F.one_hot(labels, self.classes).float()
        signal = F.relu(self.encoder(torch.cat((samples, classes), 1)))
        mean, log_variance = self.mean(signal), self.log_variance(signal)
        if noise is None:
            noise = torch.randn_like(mean)
        latent = mean + torch.exp(0.5 * log_variance) * noise
        logits = self.output(F.relu(self.decoder(torch.cat((latent, classes), 1))))
        unlike = F.binary_cross_entropy_with_logits(logits, samples, reduction="sum")
        divergence = -0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp())
        return (unlike + divergence) / len(samples)

    def load(self, ours):
        for name, layer in (
            ("encoder/hidden1", self.encoder),
            ("encoder/mean", self.mean),
            ("encoder/logVariance", self.log_variance),
            ("decoder/hidden1", self.decoder),
            ("decoder/output", self.output),
        ):
            copy_dense(layer, ours[f"{name}/kernel"], ours[f"{name}/bias"])


TWINS = {
    "logistic": lambda: Mlp(784, [], 10),
    "mlp": lambda: Mlp(784, [128], 10),
    "lenet": lambda: Cnn([6, 16], [2, 0], [120, 84], 10),
    "fedavg-cnn": lambda: Cnn([32, 64], [2, 2], [512], 10),
    "lstm": lambda: CharLstm(96, 64, 128),
    "transformer": lambda: Transformer(96, 64, 64, 2, 4),
    "vae": lambda: Vae(784, 10, 256, 16),
}
