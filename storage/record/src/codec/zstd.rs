use std::cell::RefCell;
use std::io::Write;

use bytes::{BufMut, BytesMut};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

use super::{Codec, Level, capped};
use crate::BatchError;

/// Kafka's default level.
const LEVEL_DEFAULT: i32 = 3;
/// 2^27 = 128 MiB, zstd's own limit without `--long`: a frame cannot ask for a larger window.
const WINDOW_LOG_MAX: u32 = 27;

thread_local! {
    /// Making one costs more than decompressing a small batch.
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

pub(super) fn decompress(input: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BatchError> {
    CONTEXT.with_borrow_mut(|context| {
        let bad = |code| Codec::Zstd.undecodable(get_error_name(code));
        context.reset(ResetDirective::SessionOnly).map_err(bad)?;
        context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(bad)?;
        let mut input = InBuffer::around(input);
        let start = out.len();
        let mut len = start;
        // What the library still expects; 0 at the end of a frame.
        let expected = loop {
            capped::make_room(out, len, start, bytes_max)?;
            let room = out.len() - len;
            let mut output = OutBuffer::around(&mut out[len..]);
            let expected = context.decompress_stream(&mut output, &mut input).map_err(bad)?;
            let written = output.pos();
            len += written;
            // With room left nothing more is held back inside.
            if input.pos == input.src.len() && written < room {
                break expected;
            }
        };
        if expected != 0 {
            return Err(Codec::Zstd.undecodable("it is cut off"));
        }
        if len - start > bytes_max {
            return Err(BatchError::TooLarge { cap: bytes_max });
        }
        out.truncate(len);
        Ok(())
    })
}

pub(super) fn compress(input: &[u8], level: Level, out: &mut BytesMut) {
    let level = match level {
        Level::At(level) => level,
        Level::Default => LEVEL_DEFAULT,
    };
    let written = zstd::stream::write::Encoder::new(out.writer(), level).and_then(|mut encoder| {
        encoder.write_all(input)?;
        encoder.finish().map(drop)
    });
    written.expect("writing to memory does not fail");
}
