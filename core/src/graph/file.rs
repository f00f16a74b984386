//! placeholder
/// Places
pub struct Places;
/// read
pub fn read() {}
/// write
pub fn write(_: &super::Graph) -> String {
    String::new()
}
