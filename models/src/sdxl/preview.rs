//! What a latent looks like without its autoencoder: a linear map from its channels to colours. Rough, and a thousand times
//! cheaper.

use candle_core::Tensor;

use crate::Result;

/// The channels of latents that such a map reads.
pub const CHANNELS: usize = 4;

/// How much red, green and blue, from -1 to 1, a latent's channels stand for, each in units of a scaled latent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colours {
    /// By channel.
    pub of_channels: [[f32; 3]; CHANNELS],
    /// Where all channels are 0.
    pub at_zero: [f32; 3],
}

/// Latents of SDXL's autoencoder. Figures: ComfyUI `comfy/latent_formats.py`, `SDXL.latent_rgb_factors` and its bias.
pub const SDXL: Colours = Colours {
    of_channels: [
        [0.3651, 0.4232, 0.4341],
        [-0.2533, -0.0042, 0.1068],
        [0.1076, 0.1111, -0.0362],
        [-0.3165, -0.2492, -0.2188],
    ],
    at_zero: [0.1084, -0.0175, -0.0011],
};

/// Latents of SD 1.5's autoencoder. Figures: ComfyUI `comfy/latent_formats.py`, `SD15.latent_rgb_factors`.
pub const SD15: Colours = Colours {
    of_channels: [
        [0.3512, 0.2297, 0.3227],
        [0.3250, 0.4974, 0.2350],
        [-0.2829, 0.1762, 0.2721],
        [-0.2120, -0.2616, -0.7177],
    ],
    at_zero: [0.0, 0.0, 0.0],
};

impl Colours {
    /// Maps `(count, 4, height, width)` to `(count, 3, height, width)`; not clamped to [-1, 1].
    ///
    /// # Errors
    /// An error of another shape.
    pub fn of(&self, latent: &Tensor) -> Result<Tensor> {
        let (count, channels, height, width) = latent.dims4()?;
        let device = latent.device();
        let factors = Tensor::new(&self.of_channels, device)?.to_dtype(latent.dtype())?;
        let bias = Tensor::new(&self.at_zero, device)?.to_dtype(latent.dtype())?.reshape((1, 3, 1))?;
        let rows = latent.reshape((count, channels, height * width))?;
        let mixed = factors.t()?.unsqueeze(0)?.broadcast_matmul(&rows)?.broadcast_add(&bias)?;
        Ok(mixed.reshape((count, 3, height, width))?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn every_pixel_is_mixed_of_its_own_channels() {
        let colours = Colours {
            of_channels: [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0], [10.0, 20.0, 30.0]],
            at_zero: [0.25, 0.5, 0.75],
        };
        // Two pictures of 1×2: channels 1 to 4 at the first pixel, 0 but for the last channel at the second.
        let one = [1.0_f32, 0.0, 2.0, 0.0, 3.0, 0.0, 4.0, 1.0];
        let latent = Tensor::from_vec([one, one].concat(), (2, 4, 1, 2), &Device::Cpu).unwrap();
        let made = colours.of(&latent).unwrap();
        assert_eq!(made.dims(), [2, 3, 1, 2]);
        let wanted = [41.25, 10.25, 84.5, 20.5, 129.75, 30.75];
        assert_eq!(made.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [wanted, wanted].concat());
    }

    #[test]
    fn latents_of_other_channels_are_refused() {
        let latent = Tensor::zeros((1, 16, 2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(SDXL.of(&latent).is_err());
    }
}
