"""The parts of the model, their shapes, and how a picture is drawn from a prompt. Everything has SDXL's layout, only smaller."""
import numpy as np, torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

LATENT_SCALE = .13025  # SDXL's own factor; some tools have it built in, so fold.py fits the autoencoder to it
TOKENS = 77
SCHEDULE = dict(num_train_timesteps=1000, beta_start=.00085, beta_end=.012, beta_schedule="scaled_linear",
                prediction_type="v_prediction", timestep_spacing="leading", steps_offset=1)
UNET = dict(
    sample_size=32, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(64, 96, 128),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=[1, 1, 1],
    attention_head_dim=(2, 3, 4),  # as in SDXL this is the number of heads, in spite of its name
    cross_attention_dim=160,  # both encoders side by side: 64 + 96
    use_linear_projection=True, norm_num_groups=16, addition_embed_type="text_time", addition_time_embed_dim=32,
    projection_class_embeddings_input_dim=288)  # pooled text 96 + six numbers of 32
PROMPTS = ["a serene landscape with mountains and a lake at sunset", "a red and white lighthouse by the sea at sunset", "snowy mountains at dawn with fog",
           "a sailboat on a lake at noon", "desert dunes at night with stars and a full moon", "a pine forest in fog at dawn",
           "a cottage in green hills on a bright day", "the ocean at night, the moon", "mountains at sunset with clouds", "a house in a forest at night",
           "trees in the desert at sunset", "a calm lake at sunrise with a house", "rolling hills at noon, scattered clouds",
           "lighthouse at night, starry sky, sea", "a sailing boat on the sea in the evening", "castle on a cliff, dramatic, masterpiece"]


class Tokens:
    def __init__(self, folder):
        self.clip = CLIPTokenizer.from_pretrained(f"{folder}/tokenizer")
        self.end = self.clip.eos_token_id

    def __call__(self, texts):
        return torch.tensor(self.clip(list(texts), padding="max_length", truncation=True, max_length=TOKENS).input_ids)

    def configs(self):
        shared = dict(vocab_size=len(self.clip), max_position_embeddings=TOKENS, bos_token_id=self.clip.bos_token_id, eos_token_id=self.end)
        return (CLIPTextConfig(hidden_size=64, intermediate_size=256, num_hidden_layers=2, num_attention_heads=2, hidden_act="quick_gelu",
                               projection_dim=64, pad_token_id=self.end, **shared),
                CLIPTextConfig(hidden_size=96, intermediate_size=384, num_hidden_layers=3, num_attention_heads=3, hidden_act="gelu",
                               projection_dim=96, pad_token_id=0, **shared))


def build(tokens):
    first, second = tokens.configs()
    parts = torch.nn.ModuleDict(dict(unet=UNet2DConditionModel(**UNET).to(memory_format=torch.channels_last),
                                     text_encoder=CLIPTextModel(first), text_encoder_2=CLIPTextModelWithProjection(second)))
    for encoder in (parts.text_encoder, parts.text_encoder_2):
        for name, p in encoder.named_parameters():
            # CLIP starts at .02, which is right for hundreds of millions of pairs and far too small for us.
            if "token_embedding" in name: torch.nn.init.normal_(p, std=.5)
            if "position_embedding" in name: torch.nn.init.normal_(p, std=.1)
    return parts


def plain_attention(parts):
    """Attention as two matrix products: at our sizes torch's fused kernel is slow backwards (a training step costs a third more)."""
    parts.unet.set_attn_processor(AttnProcessor())
    for encoder in (parts.text_encoder, parts.text_encoder_2):
        encoder.set_attn_implementation("eager")


def encode_text(parts, ids, end):
    """What SDXL hands its UNet: the last but one layer of both encoders side by side, and the second's pooled vector."""
    place = (ids == end).int().argmax(1, keepdim=True)
    second_ids = ids.masked_fill(torch.arange(TOKENS)[None] > place, 0)  # the second tokenizer pads with id 0
    first = parts.text_encoder(ids, output_hidden_states=True).hidden_states[-2]
    second = parts.text_encoder_2(second_ids, output_hidden_states=True)
    return torch.cat([first, second.hidden_states[-2]], -1), second.text_embeds


def predict(parts, x, t, ids, end, edge_px):
    cond, pooled = encode_text(parts, ids, end)
    sizes = torch.tensor([[edge_px, edge_px, 0, 0, edge_px, edge_px]]).float().repeat(len(x), 1)
    return parts.unet(x, t, cond, added_cond_kwargs=dict(text_embeds=pooled, time_ids=sizes)).sample


@torch.no_grad()
def sample(parts, vae, tokens, prompts, guidance=4., steps=20, seed=1, edge_px=256, negative=""):
    """Draws one picture a prompt; returns bytes (count, edge, edge, 3)."""
    made = []
    generator = torch.Generator().manual_seed(seed)
    for low in range(0, len(prompts), 16):
        chunk = prompts[low:low + 16]
        scheduler = EulerDiscreteScheduler(**SCHEDULE)
        scheduler.set_timesteps(steps)
        x = torch.randn(len(chunk), 4, edge_px // 8, edge_px // 8, generator=generator) * scheduler.init_noise_sigma
        ids = torch.cat([tokens([negative] * len(chunk)), tokens(chunk)])
        for t in scheduler.timesteps:
            scaled = scheduler.scale_model_input(x, t)
            with torch.autocast("cpu", torch.bfloat16):
                without, given = predict(parts, torch.cat([scaled, scaled]), t.repeat(2 * len(chunk)), ids, tokens.end, edge_px).float().chunk(2)
            x = scheduler.step(without + guidance * (given - without), t, x).prev_sample
        pictures = torch.cat([vae.decode(part / LATENT_SCALE).sample for part in x.split(4)])
        made.append(pictures.clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(made)


def load_vae(folder):
    return AutoencoderKL.from_pretrained(folder).eval().to(memory_format=torch.channels_last)


def sheet(pictures, path, columns=8, cell_px=160):
    from PIL import Image
    grid = Image.fromarray(np.concatenate([np.concatenate(pictures[i:i + columns], 1) for i in range(0, len(pictures), columns)], 0))
    grid.resize((columns * cell_px, grid.height * columns * cell_px // grid.width), Image.LANCZOS).save(path)


def load_parts(folder, tokens):
    """The denoiser and both encoders of an exported folder, in f32."""
    parts = build(tokens).eval()
    parts.unet = UNet2DConditionModel.from_pretrained(f"{folder}/unet", torch_dtype=torch.float32).to(memory_format=torch.channels_last)
    parts.text_encoder = CLIPTextModel.from_pretrained(f"{folder}/text_encoder", dtype=torch.float32)
    parts.text_encoder_2 = CLIPTextModelWithProjection.from_pretrained(f"{folder}/text_encoder_2", dtype=torch.float32)
    return parts.eval()
