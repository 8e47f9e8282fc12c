//! The part of the NATS protocol (<https://docs.nats.io/reference/reference-protocols/nats-protocol>) that is needed to
//! drop, duplicate and reorder the deliveries of JetStream. The frames `MSG` and `HMSG` contain their lengths; all
//! other frames are one line.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The longest frame of a server. It is larger than any event.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The rates of the faults in 1,000 delivered messages, and a counter.
#[derive(Debug, Default)]
pub struct Mistreatment {
    /// Dropped messages.
    pub drop_per_mille: AtomicU32,
    /// Messages that are delivered twice.
    pub double_per_mille: AtomicU32,
    /// Messages that are delivered after the next one.
    pub swap_per_mille: AtomicU32,
    /// The number of messages that were tampered with.
    pub count: AtomicU64,
}

impl Mistreatment {
    /// Sets the numbers of dropped, duplicated and swapped messages in 1,000.
    pub fn set(&self, drop: u32, double: u32, swap: u32) {
        self.drop_per_mille.store(drop, Relaxed);
        self.double_per_mille.store(double, Relaxed);
        self.swap_per_mille.store(swap, Relaxed);
    }

    fn fate(&self, chance: &mut StdRng) -> Fate {
        let draw = chance.random_range(0..1_000);
        let mut up_to = 0;
        for (per_mille, fate) in
            [(&self.drop_per_mille, Fate::Drop), (&self.double_per_mille, Fate::Double), (&self.swap_per_mille, Fate::Swap)]
        {
            up_to += per_mille.load(Relaxed);
            if draw < up_to {
                self.count.fetch_add(1, Relaxed);
                return fate;
            }
        }
        Fate::Pass
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Pass,
    Drop,
    Double,
    Swap,
}

/// Carries the server's frames to the client until one of them closes the connection.
pub(super) async fn carry(
    from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mistreatment: &Mistreatment,
    chance: &Mutex<StdRng>,
) -> std::io::Result<()> {
    let mut from = BufReader::new(from);
    let mut held = Vec::new();
    loop {
        let mut frame = Vec::new();
        let is_delivery = read_frame(&mut from, &mut frame).await?;
        let fate = match chance.lock() {
            Ok(mut chance) if is_delivery => mistreatment.fate(&mut chance),
            _ => Fate::Pass,
        };
        match fate {
            Fate::Drop => continue,
            Fate::Swap if held.is_empty() => {
                held = frame;
                continue;
            }
            Fate::Double => {
                to.write_all(&frame).await?;
                to.write_all(&frame).await?;
            }
            Fate::Pass | Fate::Swap => to.write_all(&frame).await?,
        }
        // If the next frame is only a heartbeat, the held message follows it at once.
        to.write_all(&std::mem::take(&mut held)).await?;
    }
}

/// Reads one frame, and returns whether JetStream delivers an event with it.
async fn read_frame(from: &mut BufReader<OwnedReadHalf>, frame: &mut Vec<u8>) -> std::io::Result<bool> {
    if from.read_until(b'\n', frame).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let line = String::from_utf8_lossy(frame).into_owned();
    let Some(payload) = payload_bytes(&line) else { return Ok(false) };
    if payload > FRAME_BYTES_MAX {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let start = frame.len();
    frame.resize(start + payload + "\r\n".len(), 0);
    let Some(rest) = frame.get_mut(start..) else { return Ok(false) };
    from.read_exact(rest).await?;
    Ok(is_delivery(&line))
}

/// The number of bytes that follow the line. It is the line's last word.
fn payload_bytes(line: &str) -> Option<usize> {
    let mut words = line.split_ascii_whitespace();
    let verb = words.next()?;
    (verb.eq_ignore_ascii_case("MSG") || verb.eq_ignore_ascii_case("HMSG")).then_some(())?;
    words.next_back()?.parse().ok()
}

/// Whether a frame is a delivery. An answer of the server goes to an inbox; a delivery has the event's subject and an
/// address for the acknowledgement.
fn is_delivery(line: &str) -> bool {
    let words = line.split_ascii_whitespace().collect::<Vec<_>>();
    words.get(3).is_some_and(|reply| reply.starts_with("$JS.ACK."))
}

#[cfg(test)]
mod tests {
    use super::{is_delivery, payload_bytes};

    #[test]
    fn frames_with_a_payload_contain_its_length() {
        assert_eq!(payload_bytes("MSG chat.1 9 11\r\n"), Some(11));
        assert_eq!(payload_bytes("HMSG chat.1 9 $JS.ACK.x 12 345\r\n"), Some(345));
        assert_eq!(payload_bytes("PING\r\n"), None);
        assert_eq!(payload_bytes("INFO {\"max_payload\":10}\r\n"), None);
    }

    #[test]
    fn only_a_message_that_can_be_acknowledged_is_a_delivery() {
        assert!(is_delivery("HMSG chat.1 9 $JS.ACK.stream.consumer.1.2.3 12 345\r\n"));
        assert!(!is_delivery("MSG _INBOX.abc 9 11\r\n"));
    }
}
